package reconnect_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/internal/reconnect"
)

// A connection on which nothing arrives is given up after half a minute.
func TestAlive(t *testing.T) {
	o := nats.GetDefaultOptions()
	for _, set := range reconnect.Alive() {
		if err := set(&o); err != nil {
			t.Fatal(err)
		}
	}
	if within := o.PingInterval * time.Duration(o.MaxPingsOut+1); within > 30*time.Second {
		t.Errorf("given up after %s", within)
	}
}
