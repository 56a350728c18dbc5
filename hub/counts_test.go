package hub_test

import (
	"fmt"
	"testing"
)

// An append that another writer forestalled is made again, from the events behind
// the last copy on: their dead letters are counted once.
func TestDeadLetterIsCountedOnce(t *testing.T) {
	w := newWorld(t)
	o := w.observe(nil)
	w.register("picky", `{"interests":[{"entity":"user","filter":"data.n > 2"}]}`)
	await := func(dead, copies float64) {
		t.Helper()
		w.eventually(fmt.Sprintf("%v dead letters and %v copies", dead, copies), func() error {
			got := o.metrics()
			if d, c := got[`replhub_lane_dead_lettered_total{service="picky"}`], got[`replhub_lane_copies_total{service="picky"}`]; d != dead || c != copies {
				return fmt.Errorf("%v and %v", d, c)
			}
			return nil
		})
	}
	w.publish("db.user.create", `{"id":"1","n":3}`)
	w.publish("db.user.create", `not JSON`)
	await(1, 1)
	w.publishTo("sub.picky.user.create.0") // as another writer would
	w.publish("db.user.create", `{"id":"2","n":3}`)
	await(1, 2)
	w.publish("db.user.create", `not JSON either`)
	await(2, 2)
}
