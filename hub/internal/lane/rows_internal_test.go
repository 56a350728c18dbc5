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
		var r fetches
		const most = 100_000
		slots := budget.New(most)
		has := func(bytes int64) bool {
			synctest.Wait()
			share := slots.Try(bytes)
			share.End()
			return share != nil
		}
		nudges, tries := 0, 0
		ask := func(context.Context) (*chunk, error) {
			if tries++; tries < 4 {
				return nil, errors.New("no owner")
			}
			return &chunk{rows: []*event.Event{{Row: 3}}}, nil
		}
		began := time.Now()
		r.start(t.Context(), 1, slots, most, ask, func() { nudges++ })
		synctest.Wait()
		if news := r.news(); len(news) != 1 || news[0].trouble != "no owner" || nudges != 1 {
			t.Errorf("news %+v, %d nudges", news, nudges)
		}
		if !has(most) {
			t.Error("who waits for an owner holds others up")
		}
		<-time.After(time.Second + 750*time.Millisecond)
		synctest.Wait()
		news := r.news()
		if len(news) != 1 || nudges != 2 || time.Since(began) != 1750*time.Millisecond {
			t.Fatalf("news %+v after %s, %d nudges", news, time.Since(began), nudges)
		}
		if news[0].number != 1 || news[0].chunk == nil || news[0].chunk.rows[0].Row != 3 {
			t.Errorf("came %+v", news[0])
		}

		// One more at a time than there are slots waits, and ends when it is dropped.
		r.start(t.Context(), 2, slots, most, ask, func() {})
		synctest.Wait()
		r.drop(2)
		if has(most) || !has(most/2) {
			t.Error("rows in memory hold nothing, or more than they take")
		}
		r.drop(1)
		r.drop(1)
		if !has(most) || len(r.news()) != 0 {
			t.Error("a chunk that was dropped holds its share")
		}
		r.dropAll()
		r.wait()
	})
}
