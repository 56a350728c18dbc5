package world

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/e2e/soak/tally"
	"github.com/replhub/replhub/internal/contract"
)

const (
	// sweepEvery is the time between two looks for what is overdue, showEvery
	// between two lines of progress.
	sweepEvery = time.Second
	showEvery  = 10 * time.Second
	// maxOdd bounds the oddities that are kept.
	maxOdd = 30
)

// oddities are things that happened and should not, in words. They may be noted
// concurrently.
type oddities struct {
	mu   sync.Mutex // guards the rest
	n    int
	said []string
}

func (o *oddities) note(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.n++
	if len(o.said) < maxOdd {
		o.said = append(o.said, fmt.Sprintf(format, args...))
	}
}

func (o *oddities) all() (n int, said []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.n, append([]string(nil), o.said...)
}

// watchPurges counts the purges that hubs ask the server for.
func (w *world) watchPurges() error {
	const subject = "$JS.API.STREAM.PURGE."
	_, err := w.nc.Subscribe(subject+"*", func(m *nats.Msg) {
		stream := strings.TrimPrefix(m.Subject, subject)
		if service, ok := strings.CutPrefix(stream, "SUB_"); ok {
			w.purges.add("lanes")
			w.story.Tell(service, "purge %s", m.Data)
			return
		}
		w.purges.add(stream)
	})
	return err
}

// watch looks for what is overdue, holds publishers back when workers cannot
// follow, and prints how far the run is.
func (w *world) watch(ctx context.Context) {
	sweep, show := time.NewTicker(sweepEvery), time.NewTicker(showEvery)
	defer sweep.Stop()
	defer show.Stop()
	var last tally.Totals
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-sweep.C:
			overdue := uint64(0)
			for _, s := range w.services {
				s.account.Sweep(now)
				if s != w.stalled {
					overdue += s.account.Totals().Overdue
				}
			}
			w.pub.held.Store(overdue > uint64(10*w.cfg.Rate))
		case <-show.C:
			now := w.totals()
			w.show(now, now.Copies-last.Copies)
			last = now
			w.lookAtLanes(ctx)
		}
	}
}

func (w *world) age() time.Duration { return time.Since(w.began).Round(time.Second) }

func (w *world) totals() (sum tally.Totals) {
	for _, s := range w.services {
		sum = sum.Add(s.account.Totals())
	}
	return sum
}

func (w *world) show(t tally.Totals, copies uint64) {
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	held := ""
	if w.pub.held.Load() {
		held = " (held back)"
	}
	fmt.Fprintf(w.cfg.Out, "%-6s events %d%s  copies %d, %d/s  redelivered %d  overdue %d  lost %d  twice %d  inverted %d  not due %d  purges [%s]  requests [%s]  faults [%s]  heap %d MiB\n",
		w.age(), w.events.Acked(), held, t.Copies, copies/uint64(showEvery.Seconds()), t.Redelivered, t.Overdue, t.Lost, t.Duplicates,
		t.Inversions, t.Wrong, &w.purges, &w.requests, &w.faults, mem.HeapAlloc>>20)
}

// lookAtLanes notes lanes that were cut off, which no healthy service's may be.
func (w *world) lookAtLanes(ctx context.Context) {
	var reply contract.Services
	if err := w.ask(ctx, contract.VerbServices, "", struct{}{}, &reply); err != nil {
		w.requests.add("unanswered")
		return
	}
	for _, l := range reply.Services {
		if l.State == contract.LaneDetached || l.State == contract.LaneIncompatible {
			w.odd.note("%s: lane %s is %s: %s", w.age(), l.Service, l.State, l.Reason)
		}
	}
}
