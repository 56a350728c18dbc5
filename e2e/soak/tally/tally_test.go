package tally_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/replhub/replhub/e2e/soak/tally"
)

// account is a service that is registered for entity 1 from event 1 on, and
// ingest with n events of that entity, whose classes go round.
type account struct {
	*tally.Service
	events *tally.Events
	r      *tally.Registration
	n      int
}

func newAccount(n int, ordered bool, mask tally.Mask) *account {
	a := &account{events: &tally.Events{}, n: n}
	for seq := 1; seq <= n; seq++ {
		a.events.Ack(uint64(seq), 1, seq%tally.Classes, time.Now())
	}
	a.Service = tally.NewService("s", ordered, a.events, tally.NewStory())
	a.r = a.Begin(1, mask, 0, 0)
	a.Began(a.r, 1)
	return a
}

// handle has copies of events handled, each in the lane at ten times its
// sequence, with two keys.
func (a *account) handle(seqs ...int) {
	for _, seq := range seqs {
		a.copyAt(seq, 10*seq)
	}
}

func (a *account) copyAt(seq, lane int) {
	a.Handled(tally.Copy{Entity: 1, Key: seq % 2, Seq: uint64(seq), ID: uint32(lane), Lane: uint64(lane)})
}

func upTo(n int, without ...int) []int {
	var all []int
	for seq := 1; seq <= n; seq++ {
		if len(without) > 0 && seq == without[0] {
			without = without[1:]
			continue
		}
		all = append(all, seq)
	}
	return all
}

func TestVerdicts(t *testing.T) {
	const even tally.Mask = 0b01010101
	for _, c := range []struct {
		name    string
		ordered bool
		mask    tally.Mask
		do      func(*account)
		want    tally.Totals
	}{
		{"right", true, tally.Every, func(a *account) { a.handle(upTo(20)...) }, tally.Totals{Copies: 20}},
		{"lost prefix", true, tally.Every, func(a *account) { a.handle(upTo(20, 1, 2)...) }, tally.Totals{Copies: 18, Lost: 2}},
		{"lost in the middle", false, tally.Every, func(a *account) { a.handle(upTo(20, 7)...) }, tally.Totals{Copies: 19, Lost: 1}},
		{"lost tail", false, tally.Every, func(a *account) { a.handle(upTo(19)...) }, tally.Totals{Copies: 19, Lost: 1}},
		{"nothing came", false, tally.Every, func(*account) {}, tally.Totals{Lost: 20}},
		{"late", false, tally.Every, func(a *account) {
			a.handle(upTo(20, 7)...)
			a.Complete()
			a.handle(7)
		}, tally.Totals{Copies: 20}},
		{"redelivered", true, tally.Every, func(a *account) { a.handle(upTo(20)...); a.handle(3, 4) }, tally.Totals{Copies: 20, Redelivered: 2}},
		{"copied twice", false, tally.Every, func(a *account) { a.handle(upTo(20)...); a.copyAt(20, 201) }, tally.Totals{Copies: 20, Duplicates: 1}},
		{"out of order", true, tally.Every, func(a *account) {
			a.handle(upTo(20, 7, 9)...)
			a.handle(9, 7)
		}, tally.Totals{Copies: 20, Inversions: 2}},
		{"out of order between keys", true, tally.Every, func(a *account) { a.handle(2, 1); a.handle(upTo(20)[2:]...) }, tally.Totals{Copies: 20}},
		{"out of order where none is promised", false, tally.Every, func(a *account) { a.handle(9, 7); a.handle(upTo(20, 7, 9)...) }, tally.Totals{Copies: 20}},
		{"filtered", false, even, func(a *account) { a.handle(2, 4, 6, 8, 10, 12, 14, 16, 18, 20) }, tally.Totals{Copies: 10}},
		{"filter let through", false, even, func(a *account) { a.handle(2, 3, 4, 6, 8, 10, 12, 14, 16, 18, 20) }, tally.Totals{Copies: 11, Wrong: 1}},
		{"changed for sure", false, tally.Every, func(a *account) {
			a.Changing(a.r, 10)
			a.Changed(a.r, even, 10, 10)
			a.handle(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 18, 20)
		}, tally.Totals{Copies: 15}},
		{"changed too early", false, tally.Every, func(a *account) {
			a.Changed(a.r, even, 10, 10)
			a.handle(1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 18, 20)
		}, tally.Totals{Copies: 14, Lost: 1}},
		{"changed too late", false, tally.Every, func(a *account) {
			a.Changed(a.r, even, 10, 10)
			a.handle(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 18, 20)
		}, tally.Totals{Copies: 16, Wrong: 1}},
		{"changed somewhere", false, tally.Every, func(a *account) {
			a.Changed(a.r, even, 5, 15)
			a.handle(1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 18, 20)
		}, tally.Totals{Copies: 14}},
		{"changed somewhere, with a loss", false, tally.Every, func(a *account) {
			a.Changed(a.r, even, 5, 15)
			a.handle(1, 2, 3, 4, 5, 6, 7, 10, 12, 14, 16, 18, 20)
		}, tally.Totals{Copies: 13, Lost: 1}},
		{"ended, the rest not copied", false, tally.Every, func(a *account) {
			a.End(a.r, 10)
			a.Ended(a.r, 120)
			a.handle(upTo(12)...)
		}, tally.Totals{Copies: 12}},
		{"ended, with a loss before the last copy", false, tally.Every, func(a *account) {
			a.End(a.r, 10)
			a.Ended(a.r, 120)
			a.handle(upTo(12, 11)...)
		}, tally.Totals{Copies: 11, Lost: 1}},
		{"ended, with a loss before the position", false, tally.Every, func(a *account) {
			a.End(a.r, 10)
			a.Ended(a.r, 120)
			a.handle(upTo(9)...)
		}, tally.Totals{Copies: 9, Lost: 1}},
		{"copied behind the end", false, tally.Every, func(a *account) {
			a.End(a.r, 10)
			a.Ended(a.r, 100)
			a.handle(upTo(11)...)
		}, tally.Totals{Copies: 10, Wrong: 1}},
		{"registered again from the first event", false, tally.Every, func(a *account) {
			a.handle(upTo(10)...)
			a.End(a.r, 10)
			a.Ended(a.r, 100)
			r := a.Begin(1, tally.Every, 100, 10)
			for _, seq := range upTo(20, 15) {
				a.copyAt(seq, 100+seq)
			}
			a.Began(r, 1)
		}, tally.Totals{Copies: 29, Lost: 1}},
		{"before since", false, tally.Every, func(a *account) {
			r := a.Begin(2, tally.Every, 0, 0)
			a.Handled(tally.Copy{Entity: 2, Seq: 4, ID: 40, Lane: 40})
			a.Began(r, 5)
			a.handle(upTo(20)...)
		}, tally.Totals{Copies: 21, Wrong: 1}},
		{"of nobody", false, tally.Every, func(a *account) {
			a.handle(upTo(20)...)
			a.Handled(tally.Copy{Entity: 3, Seq: 4, ID: 41, Lane: 41})
		}, tally.Totals{Copies: 20, Stray: 1}},
		{"never acknowledged", false, tally.Every, func(a *account) {
			a.events.Ack(22, 1, 1, time.Now()) // and 21 to nobody
			a.handle(upTo(20)...)
			a.handle(22)
		}, tally.Totals{Copies: 21}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newAccount(20, c.ordered, c.mask)
			c.do(a)
			a.Complete()
			a.Complete() // what was never acknowledged is given up at the second look
			a.Forget()
			if diff := cmp.Diff(c.want, a.Totals()); diff != "" {
				t.Errorf("totals (-want +got):\n%s%v", diff, a.Findings())
			}
		})
	}
}

// Faults are seen while the run goes on, and far behind what is kept in memory.
func TestManyEvents(t *testing.T) {
	const n = 1 << 18
	a := newAccount(n, true, tally.Every)
	for _, seq := range upTo(n, 5) {
		a.handle(seq)
		if seq%(1<<14) == 0 {
			a.Sweep(time.Now().Add(time.Hour))
		}
	}
	if missing := a.Complete(); missing != 1 {
		t.Errorf("%d events are missing, want 1", missing)
	}
	a.handle(5) // late
	a.Complete()
	a.handle(7)            // again, when it is remembered no more
	a.copyAt(8, 10*n+1000) // another copy of an event that is remembered no more
	a.Complete()
	a.Forget()
	want := tally.Totals{Copies: n, Redelivered: 1, Duplicates: 1, Inversions: 1}
	if diff := cmp.Diff(want, a.Totals()); diff != "" {
		t.Errorf("totals (-want +got):\n%s", diff)
	}
}

func TestFindingsTellTheStory(t *testing.T) {
	events, story := &tally.Events{}, tally.NewStory()
	s := tally.NewService("s", false, events, story)
	r := s.Begin(1, tally.Every, 0, 0)
	s.Began(r, 1)
	for seq := range uint64(3) {
		events.Ack(seq+1, 1, 0, time.Now())
	}
	s.Handled(tally.Copy{Entity: 1, Seq: 1, ID: 1, Lane: 1})
	s.Handled(tally.Copy{Entity: 1, Seq: 3, ID: 3, Lane: 3})
	story.Tell("s", "rewind to 1")
	story.Tell("other", "rewind to 2")
	story.Tell("", "node killed")
	s.Complete()
	s.Forget()
	if s.Lost(tally.Middle) != 1 || len(s.Findings()) != 1 {
		t.Fatalf("findings %v", s.Findings())
	}
	text := s.Findings()[0].String()
	for _, want := range []string{"s e1 event 2: lost middle, 1 events to 2", "rewind to 1", "node killed"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q does not say %q", text, want)
		}
	}
	if strings.Contains(text, "rewind to 2") {
		t.Errorf("%q tells another service's story", text)
	}
}
