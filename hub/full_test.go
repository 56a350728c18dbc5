package hub_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/contract"
)

// Ingest filled while no hub ran. Its lanes have everything still before them, and
// nothing is wrong with any: none may be cut off.
func TestOutageDetachesNoHealthyLane(t *testing.T) {
	w := newWorld(t)
	small := func(c *hub.Config) {
		eager(c)
		c.IngestMaxBytes = 8 << 20
	}
	const services = 12 // more than may read ingest by themselves at a time
	stop := w.startHub(small)
	for i := range services {
		w.register(fmt.Sprintf("s%d", i), `{"entities":["user"]}`)
	}
	stop()
	stored := 0
	pad := strings.Repeat("x", 4000)
	for ; w.stream(contract.StreamIngest).CachedInfo().State.Bytes < 15<<19; stored++ {
		if _, err := w.js.PublishAsync("db.user.update", fmt.Appendf(nil, `{"id":"%d","pad":"%s"}`, stored, pad)); err != nil {
			t.Fatal(err)
		}
		if stored%500 == 499 {
			<-w.js.PublishAsyncComplete()
		}
	}
	<-w.js.PublishAsyncComplete()
	w.startHub(small)
	for i := range services {
		w.copies(fmt.Sprintf("s%d", i), stored)
	}
}

// A lane that moves on, however slowly, is not cut off; one that stands still is.
func TestOnlyALaneWithoutProgressIsDetached(t *testing.T) {
	w := newWorld(t)
	w.startHub(func(c *hub.Config) {
		eager(c)
		c.IngestMaxBytes = 2 << 20
	})
	w.register("slow", `{"entities":["user"],"max_bytes":65536}`)
	pad := strings.Repeat("x", 10_000)
	fill := func() {
		for err := error(nil); err == nil; {
			_, err = w.js.Publish(t.Context(), "db.user.update", fmt.Appendf(nil, `{"id":"1","pad":"%s"}`, pad))
		}
	}
	fill()
	// Its worker takes an event now and then, for longer than a lane may stand still.
	for began := time.Now(); time.Since(began) < 3*time.Second; {
		w.consume("slow", "workers", 4)
		fill()
		looked := time.Now()
		w.eventually("the next take", func() error {
			if status, err := w.describe("slow"); err != nil || status.State == contract.LaneDetached {
				t.Fatalf("%s after %s: %s, %v", status.State, time.Since(began), status.Reason, err)
			}
			if time.Since(looked) < time.Second {
				return errors.New("soon")
			}
			return nil
		})
	}
	w.awaitState("slow", contract.LaneDetached)
}
