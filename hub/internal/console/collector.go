package console

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nuid"

	"github.com/replhub/replhub/hub/internal/console/view"
	"github.com/replhub/replhub/internal/contract"
)

const (
	// idleAfter is how long nobody may ask before the collector rests.
	idleAfter = 20 * time.Second
	// restFactor bounds the collector's share of time: a reading that took a second is
	// followed by a rest of 30.
	restFactor = 30
	// readTime bounds one reading.
	readTime = 30 * time.Second
	// firstWait is how long a page waits for the first reading.
	firstWait = 5 * time.Second
)

// collector reads all lanes for all open pages together. It rests while nobody asks, and
// the longer a reading took, the longer it rests.
type collector struct {
	every time.Duration
	read  func(context.Context) view.Snapshot
	// id begins the names of rounds, so that those of a hub that was started again differ.
	id     string
	wake   chan struct{}
	asked  atomic.Int64 // when somebody asked last, in Unix nanoseconds
	latest atomic.Pointer[round]

	mu      sync.Mutex // guards changed
	changed chan struct{}
}

// round is one reading.
type round struct {
	name string
	view.Snapshot
}

func newCollector(every time.Duration, read func(context.Context) view.Snapshot) *collector {
	return &collector{every: every, read: read, id: nuid.Next(), wake: make(chan struct{}, 1), changed: make(chan struct{})}
}

// get returns the latest reading, and has the next one made. It waits for the first; nil
// if that does not come.
func (k *collector) get(ctx context.Context) *round {
	before := k.asked.Swap(time.Now().UnixNano())
	select {
	case k.wake <- struct{}{}:
	default:
	}
	latest := k.latest.Load()
	if latest != nil && time.Since(time.Unix(0, before)) < idleAfter {
		return latest
	}
	// The first page for a while waits for a new reading; the others share it.
	k.mu.Lock()
	changed := k.changed
	k.mu.Unlock()
	if latest = k.latest.Load(); latest != nil && time.Now().Before(latest.Next) {
		return latest
	}
	wait, cancel := context.WithTimeout(ctx, firstWait)
	defer cancel()
	select {
	case <-changed:
	case <-wait.Done():
	}
	return k.latest.Load()
}

// run reads while somebody asks.
func (k *collector) run(ctx context.Context) error {
	due := time.NewTimer(0)
	defer due.Stop()
	for n := 1; ; {
		select {
		case <-k.wake:
		case <-due.C:
		case <-ctx.Done():
			return nil
		}
		if latest := k.latest.Load(); latest != nil {
			if rest := time.Until(latest.Next); rest > 0 {
				due.Reset(rest)
				continue
			}
		}
		if time.Since(time.Unix(0, k.asked.Load())) > idleAfter {
			continue // until somebody asks
		}
		k.store(n, k.once(ctx))
		n++
		due.Reset(time.Until(k.latest.Load().Next))
	}
}

// once makes a reading, and says when the next one is due.
func (k *collector) once(ctx context.Context) view.Snapshot {
	began := time.Now()
	bounded, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	s := k.read(bounded)
	s.At = time.Now()
	s.Took = s.At.Sub(began)
	s.Next = s.At.Add(max(k.every, restFactor*s.Took))
	return s
}

func (k *collector) store(n int, s view.Snapshot) {
	k.latest.Store(&round{name: k.id + "-" + strconv.Itoa(n), Snapshot: s})
	k.mu.Lock()
	defer k.mu.Unlock()
	close(k.changed)
	k.changed = make(chan struct{})
}

// readAll asks for the hub's status and all lanes.
func (c *Console) readAll(ctx context.Context) view.Snapshot {
	var s view.Snapshot
	status, err := ask[contract.Status](ctx, c, contract.VerbStatus, "", struct{}{})
	if err != nil {
		s.Trouble = "the hub's status cannot be read: " + textOf(err)
		s.Status.Degraded = c.cfg.Source().Report.Degraded()
	} else {
		s.Status = status
	}
	s.Copies = make(map[string]uint64)
	for _, l := range c.cfg.Source().Lanes.All() {
		if l.Owned() {
			s.Copies[l.Service().String()] = l.Counts().Copies
		}
	}
	for after := ""; ; {
		page, err := ask[contract.Services](ctx, c, contract.VerbServices, "", contract.ListServices{After: after, Limit: contract.MostPage})
		if err != nil {
			s.Trouble = "not all lanes can be read: " + textOf(err)
			return s
		}
		s.Lanes = append(s.Lanes, page.Services...)
		if after = page.Next; after == "" {
			return s
		}
	}
}
