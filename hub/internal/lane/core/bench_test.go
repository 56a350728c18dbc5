package core_test

import (
	"testing"
	"time"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/lane/core"
	"github.com/replhub/replhub/hub/internal/lane/record"
)

// BenchmarkBlock is what deciding costs for blocks of events that are all copied, per
// event: the loop's steps, the expansion and the accounts of what is stored.
func BenchmarkBlock(b *testing.B) {
	for name, size := range map[string]int{"of one": 1, "of ten": 10, "of 1000": 1000} {
		b.Run(name, func(b *testing.B) {
			l, w := standing(b)
			sample, err := event.Decode(event.Position{Epoch: 1, Seq: 1}, time.Unix(1, 0), "db.user.update", nil, []byte(`{"id":"1"}`))
			if err != nil {
				b.Fatal(err)
			}
			events := make([]*event.Event, size)
			seq := uint64(0)
			b.ReportAllocs()
			for n := 0; n < b.N; n += size {
				from := l.Next(w).(core.ReadEvents).From
				for i := range events {
					seq++
					pos := event.Position{Epoch: 1, Seq: seq}
					events[i] = &event.Event{Pos: pos, Subject: sample.Subject, Data: sample.Data, Key: "1"}
				}
				l.EventsRead(ingest.Block{Events: events, Before: from}, false)
				_ = l.Next(w).(core.Admit)
				l.Admitted(true)
				a := l.Next(w).(core.Append)
				if a.How == core.Whole || a.How == core.Close {
					l.Stored()
				} else {
					l.Sent()
					l.Progressed(a.Last + uint64(len(a.Msgs)))
				}
				l.NewStatus()
			}
		})
	}
}

// standing is a lane with an interest that stands before the first event.
func standing(b *testing.B) (*core.Lane, core.World) {
	b.Helper()
	s := newScene(nil)
	s.command([]string{"lane", "fast"})
	s.lane.Next(s.w)
	in := parseInterest(nil, "user")
	s.lane.TipRead(record.Tip{State: record.State{Phase: record.Live, Interests: []record.Interest{in}, Pos: ingest.Mark{Position: event.Position{Epoch: 1}}}, StateSeq: 1, Last: 1})
	check := s.lane.Next(s.w).(core.CheckCursors)
	s.lane.CursorsChecked(check.State)
	return s.lane, s.w
}
