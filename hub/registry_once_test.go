package hub_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/tree"
)

// deaf is a registry that refuses the hub's later writes: a registration cannot write its
// record through, and the end of an interest cannot remove it.
type deaf struct {
	hub.Registry

	is atomic.Bool
}

func (d *deaf) Put(ctx context.Context, path string, value []byte, expect tree.Version) (tree.Version, error) {
	if d.is.Load() && expect == tree.Any {
		return 0, tree.ErrUnavailable
	}
	return d.Registry.Put(ctx, path, value, expect)
}

func (d *deaf) Delete(ctx context.Context, path string, expect tree.Version) error {
	if d.is.Load() {
		return tree.ErrUnavailable
	}
	return d.Registry.Delete(ctx, path, expect)
}

// A record made by hand is one registration: an interest that ends while the registry is
// away does not come back with the record that requested it.
func TestRecordMadeByHandRegistersOnce(t *testing.T) {
	w := newWorld(t)
	var registry *deaf
	w.startHub(func(c *hub.Config) {
		registry = &deaf{Registry: c.Registry}
		c.Registry = registry
	})
	registry.is.Store(true)
	w.put("entities.user.audit", "")
	w.eventually("the record to be registered", func() error {
		var status contract.LaneStatus
		if err := w.call("replhub.describe.audit", "", &status); err != nil {
			return err
		}
		if len(status.Interests) != 1 {
			return fmt.Errorf("in force: %+v", status.Interests)
		}
		return nil
	})
	if err := w.call("replhub.unregister.audit", `{"entities":["user"]}`, nil); err != nil {
		t.Fatal(err)
	}
	registry.is.Store(false)
	w.put("entities.tenant.audit", "")
	w.eventually("the record of the ended interest to be removed", func() error { return w.hasNoRecord("entities.user.audit") })
	w.eventually("the other record to be registered", func() error {
		record, err := w.recordOf("entities.tenant.audit")
		if err == nil && record["since"] == nil {
			err = fmt.Errorf("record %v", record)
		}
		return err
	})
	w.onlyInForce("audit", "tenant")
}
