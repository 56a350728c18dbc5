package console

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/replhub/replhub/hub/internal/console/view"
)

// One reading serves all open pages; a long one is followed by a long rest; and nobody
// reads while no page is open.
func TestCollectorSharesAndRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var readings, took atomic.Int64
		took.Store(int64(100 * time.Millisecond))
		k := newCollector(5*time.Second, func(context.Context) view.Snapshot {
			readings.Add(1)
			<-time.After(time.Duration(took.Load()))
			return view.Snapshot{}
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- k.run(ctx) }()
		pages := func(n int, every, during time.Duration) {
			for end := time.Now().Add(during); time.Now().Before(end); <-time.After(every) {
				for range n {
					if k.get(ctx) == nil {
						t.Error("no reading")
					}
				}
			}
		}
		pages(10, 5*time.Second, time.Minute)
		if n := readings.Load(); n < 10 || n > 13 {
			t.Errorf("%d readings in a minute, want one in 5 s", n)
		}
		first := k.latest.Load().name
		<-time.After(time.Hour)
		before := readings.Load()
		<-time.After(time.Hour)
		if n := readings.Load(); n != before {
			t.Errorf("%d readings while no page is open", n-before)
		}
		if got := k.get(ctx); got.name == first || time.Since(got.At) > time.Second {
			t.Errorf("the first page after an hour shows a reading of %s ago", time.Since(got.At))
		}
		readings.Store(0)
		took.Store(int64(2 * time.Second))
		pages(10, 5*time.Second, 5*time.Minute)
		if n := readings.Load(); n > 7 {
			t.Errorf("%d readings of 2 s in five minutes: want a rest of a minute behind each", n)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

type curveJSON struct {
	T                                       []int64
	Copies, Lag, Backlog, Acks, Redelivered []*float64
}

func TestCurvesAreAnHour(t *testing.T) {
	k := newCurves()
	at := time.Unix(1_000_000, 0)
	read := func() (c curveJSON) {
		t.Helper()
		data, ok := k.json("sharing")
		if !ok {
			t.Fatal("no curves")
		}
		if err := json.Unmarshal(data, &c); err != nil {
			t.Fatalf("%v: %s", err, data)
		}
		return c
	}
	k.add(at, []figures{{service: "sharing", owned: true, copies: 100, lag: 7}})
	if c := read(); len(c.T) != 1 || c.Copies[0] != nil || *c.Lag[0] != 7 || c.Backlog[0] != nil {
		t.Errorf("%+v", c)
	}
	m := &measured{at: at, backlog: 40, copies: 100}
	k.add(at.Add(10*time.Second), []figures{{service: "sharing", owned: true, copies: 150, measured: m}})
	m = &measured{at: at.Add(15 * time.Second), backlog: 60, copies: 150, redelivered: 2}
	k.add(at.Add(20*time.Second), []figures{{service: "sharing", owned: true, copies: 150, measured: m}})
	// 60 were acknowledged by the first reading, 90 by the second, 15 s later.
	if c := read(); *c.Copies[1] != 5 || *c.Backlog[2] != 60 || *c.Acks[2] != 2 || *c.Redelivered[2] != 2 {
		t.Errorf("%+v", c)
	}
	for i := range 2 * points {
		k.add(at.Add(time.Duration(30+10*i)*time.Second), []figures{{service: "sharing", copies: 1}})
	}
	c := read()
	if len(c.T) != points || c.T[points-1]-c.T[0] != int64(points-1)*10 || c.Copies[0] != nil {
		t.Errorf("%d points over %d s", len(c.T), c.T[len(c.T)-1]-c.T[0])
	}
	k.add(at.Add(10*time.Hour), nil)
	if _, ok := k.json("sharing"); ok {
		t.Error("a lane that is gone has curves")
	}
}

func TestCurvesAreBounded(t *testing.T) {
	k := newCurves()
	var all []figures
	for i := range maxCurves + 500 {
		all = append(all, figures{service: fmt.Sprintf("s%d", i)})
	}
	k.add(time.Unix(1, 0), all)
	if len(k.lanes) != maxCurves {
		t.Errorf("curves of %d lanes", len(k.lanes))
	}
}
