package hub_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/tree"
)

// justBefore is a registry whose first snapshot comes right after the hub has looked
// for it.
type justBefore struct {
	hub.Registry

	looked atomic.Bool
}

func (r *justBefore) Snapshot() *tree.Snapshot {
	seen := r.Registry.Snapshot()
	if seen == nil && !r.looked.Swap(true) {
		for r.Registry.Snapshot() == nil {
			<-time.After(time.Millisecond)
		}
	}
	return seen
}

// A hub without lanes that looks for the registry's first snapshot just before it
// comes goes on at once: a quiet registry tells of no second one.
func TestRegistryThatComesRightAfterALook(t *testing.T) {
	w := newWorld(t)
	w.startHub(func(cfg *hub.Config) {
		cfg.StartTimeout = 2 * time.Second
		cfg.Registry = &justBefore{Registry: cfg.Registry}
	})
}
