package lane

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/replhub/replhub/event"
)

func TestFetchesAreTriedAgainAndGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r rows
		slots := semaphore.NewWeighted(1)
		fill := Fill{IDs: []string{"a"}, Snapshot: &Snapshot{Row: 2, After: "k2"}}
		nudges, tries := 0, 0
		ask := func(context.Context) (*chunk, error) {
			if tries++; tries < 4 {
				return nil, errors.New("no owner")
			}
			return &chunk{rows: []*event.Event{{Row: 3}}}, nil
		}
		began := time.Now()
		r.start(t.Context(), "a", *fill.Snapshot, slots, ask, func() { nudges++ })
		synctest.Wait()
		if r.ready(fill) || r.trouble()["a"] != "no owner" || nudges != 1 {
			t.Errorf("ready %v, trouble %q, %d nudges", r.ready(fill), r.trouble(), nudges)
		}
		if !slots.TryAcquire(1) {
			t.Error("who waits for an owner holds others up")
		} else {
			slots.Release(1)
		}
		<-time.After(time.Second + 750*time.Millisecond)
		synctest.Wait()
		if !r.ready(fill) || r.trouble() != nil || nudges != 2 || time.Since(began) != 1750*time.Millisecond {
			t.Errorf("ready %v after %s, trouble %q, %d nudges", r.ready(fill), time.Since(began), r.trouble(), nudges)
		}
		if r.ready(Fill{IDs: []string{"a"}, Snapshot: &Snapshot{Row: 1, After: "k2"}}) {
			t.Error("rows that do not follow")
		}

		// One more at a time than there are slots waits, and goes with its interest.
		r.start(t.Context(), "b", Snapshot{}, slots, ask, func() {})
		synctest.Wait()
		r.keep(State{Fills: []Fill{fill}})
		if r.fetches["b"] != nil || !r.ready(fill) {
			t.Errorf("kept %v", r.fetches)
		}
		c, f := r.take(fill)
		if c == nil || c.rows[0].Row != 3 || r.ready(fill) {
			t.Errorf("took %+v", c)
		}
		if slots.TryAcquire(1) {
			t.Error("rows in memory hold no slot")
		}
		f.giveUp()
		synctest.Wait()
		if !slots.TryAcquire(1) {
			t.Error("a chunk that was given up holds its slot")
		}
		r.drop()
		r.wait()
	})
}
