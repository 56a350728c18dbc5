package hub_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/contract"
)

// heap is what this process holds, the hub included: the servers are processes of
// their own.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// mostHeap measures until stop is called, which returns the most there was.
func mostHeap() (stop func() int64) {
	end, most := make(chan struct{}), make(chan int64)
	go func() {
		look := time.NewTicker(40 * time.Millisecond) // each look collects garbage
		defer look.Stop()
		top := int64(0)
		for {
			top = max(top, heap())
			select {
			case <-end:
				most <- top
				return
			case <-look.C:
			}
		}
	}()
	return func() int64 {
		close(end)
		return <-most
	}
}

// What a hub holds is bounded as Config.MemoryBytes says, however large events
// are and whatever its lanes do: follow, decode, are full, catch up and fill.
func TestMemoryWithLargeEvents(t *testing.T) {
	const bound, events, size = 16 << 20, 30, 1_000_000
	w := newWorld(t)
	w.patience = 2 * time.Minute // it moves 200 MB through the server's disk
	before := heap()
	stop := w.startHub()
	for _, service := range []string{"plain", "seldom"} {
		w.register(service, `{"entities":["user"]}`)
	}
	w.register("decoding", `{"interests":[{"entity":"user","filter":"data.n % 2 == 0","fields":["id","n","x"]}]}`)
	w.register("full", `{"entities":["user"],"max_bytes":65536}`)
	stop() // so that all of them have to catch up
	pad := strings.Repeat("x", size)
	for i := range events {
		w.publish("db.user.update", fmt.Sprintf(`{"id":"1","n":%d,"x":"%s"}`, i, pad))
	}
	measured := mostHeap()
	w.startHub(func(c *hub.Config) { c.MemoryBytes = bound })
	w.register("filling", `{"interests":[{"entity":"user","start":"all"}]}`)
	// And live ones meanwhile, with what is large about them in the headers.
	header := strings.Repeat("h", 60_000)
	for i := range events {
		w.publish("db.user.update", fmt.Sprintf(`{"id":"1","n":%d}`, i), "X-Large", header)
	}
	for service, n := range map[string]int{"plain": 2 * events, "seldom": 2 * events, "decoding": events, "filling": 2 * events} {
		w.awaitMessages(service, n)
	}
	w.awaitState("full", contract.LaneStalled)
	took := measured() - before
	// One event more for each of the five parts, and what a process takes anyway.
	if most := int64(bound + 5*(size+200_000) + 4<<20); took > most {
		t.Errorf("the hub held %.1f MiB, more than %.1f", float64(took)/(1<<20), float64(most)/(1<<20))
	}
	t.Logf("held %.1f MiB at most", float64(took)/(1<<20))
}

// awaitMessages waits until a lane has copied n events.
func (w *world) awaitMessages(service string, n int) {
	w.t.Helper()
	w.eventually(fmt.Sprintf("%d copies for %s", n, service), func() error {
		have, err := w.stored("SUB_" + service)
		if err != nil {
			return err
		}
		if have < n {
			return fmt.Errorf("%d so far", have)
		}
		return nil
	})
}

// Many lanes that are all behind the tail's window, in a hub that has memory for
// one reader at a time: each has its turn, and none waits for itself.
func TestLanesTakeTurnsAtLittleMemory(t *testing.T) {
	const lanes, events = 12, 30
	w := newWorld(t)
	stop := w.startHub()
	for i := range lanes {
		w.register(fmt.Sprintf("s%d", i), `{"entities":["user"]}`)
	}
	pad := strings.Repeat("x", 100_000)
	var published sync.WaitGroup
	for i := range lanes {
		published.Go(func() { w.register(fmt.Sprintf("s%d", i), `{"interests":[{"entity":"group","start":"all"}]}`) })
	}
	published.Wait()
	stop()
	for range events {
		w.publish("db.user.update", `{"id":"1","x":"`+pad+`"}`)
		w.publish("db.group.update", `{"id":"1","x":"`+pad+`"}`)
	}
	w.startHub(func(c *hub.Config) { c.MemoryBytes, c.WindowBytes = 16<<20, 4096 })
	for i := range lanes {
		service := fmt.Sprintf("s%d", i)
		w.awaitMessages(service, 2*events)
		w.register(service, `{"interests":[{"entity":"tenant","start":"all"}]}`)
	}
	w.publish("db.tenant.update", `{"id":"1"}`)
	for i := range lanes {
		service := fmt.Sprintf("s%d", i)
		w.eventually("the end of "+service, func() error {
			status, err := w.describe(service)
			if err != nil {
				return err
			}
			if status.State != contract.LaneLive || status.Backlog != 2*events+1 {
				return errors.New(status.State)
			}
			return nil
		})
	}
}
