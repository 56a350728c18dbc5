package lane

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/replhub/replhub/hub/internal/budget"
	"github.com/replhub/replhub/hub/internal/event"
)

func TestFetchesAreTriedAgainAndGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r rows
		const most = 100_000
		slots := budget.New(most)
		has := func(bytes int64) bool {
			synctest.Wait()
			share := slots.Try(bytes)
			share.End()
			return share != nil
		}
		fill := Fill{IDs: []string{"a"}, Snapshot: &Snapshot{Row: 2, After: "k2"}}
		nudges, tries := 0, 0
		ask := func(context.Context) (*chunk, error) {
			if tries++; tries < 4 {
				return nil, errors.New("no owner")
			}
			return &chunk{rows: []*event.Event{{Row: 3}}}, nil
		}
		began := time.Now()
		r.start(t.Context(), "a", *fill.Snapshot, slots, most, ask, func() { nudges++ })
		synctest.Wait()
		if r.ready(fill) || r.trouble()["a"] != "no owner" || nudges != 1 {
			t.Errorf("ready %v, trouble %q, %d nudges", r.ready(fill), r.trouble(), nudges)
		}
		if !has(most) {
			t.Error("who waits for an owner holds others up")
		}
		<-time.After(time.Second + 750*time.Millisecond)
		synctest.Wait()
		if !r.ready(fill) || r.trouble() != nil || nudges != 2 || time.Since(began) != 1750*time.Millisecond {
			t.Errorf("ready %v after %s, trouble %q, %d nudges", r.ready(fill), time.Since(began), r.trouble(), nudges)
		}
		if r.ready(Fill{IDs: []string{"a"}, Snapshot: &Snapshot{Row: 1, After: "k2"}}) {
			t.Error("rows that do not follow")
		}
		if r.ready(Fill{IDs: []string{"a"}, Snapshot: &Snapshot{ID: "backfill", Row: 2, After: "k2"}}) {
			t.Error("rows of another fill of the interest")
		}

		// One more at a time than there are slots waits, and goes with its interest.
		r.start(t.Context(), "b", Snapshot{}, slots, most, ask, func() {})
		synctest.Wait()
		r.keep(State{Fills: []Fill{fill}})
		if r.fetches["b"] != nil || !r.ready(fill) {
			t.Errorf("kept %v", r.fetches)
		}
		c, f := r.take(fill)
		if c == nil || c.rows[0].Row != 3 || r.ready(fill) {
			t.Errorf("took %+v", c)
		}
		if has(most) || !has(most/2) {
			t.Error("rows in memory hold nothing, or more than they take")
		}
		f.giveUp()
		synctest.Wait()
		if !has(most) {
			t.Error("a chunk that was given up holds its share")
		}
		r.drop()
		r.wait()
	})
}
