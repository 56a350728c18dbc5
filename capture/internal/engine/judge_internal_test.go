package engine

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/replhub/replhub/capture/internal/change"
	"github.com/replhub/replhub/internal/captured"
)

// Between what ingest has and what the slot sends, no change may be missing.
func TestOrigin(t *testing.T) {
	ready := slot{name: "a", exists: true, plugin: "pgoutput", database: "d", connected: "d", system: "7", timeline: 2, end: 900, confirmed: 500}
	tests := []struct {
		name     string
		slot     func(*slot)
		record   captured.Record
		stored   int
		branched captured.LSN
		want     Problem
	}{
		{"as it was confirmed", nil, captured.Record{System: "7", Confirm: 500}, 500, 0, None},
		{"the server has forgotten a confirmation", nil, captured.Record{System: "7", Confirm: 800}, 800, 0, None},
		{"changes stored behind the record", nil, captured.Record{System: "7", Confirm: 600}, 700, 0, None},
		{"at the end of the log", nil, captured.Record{System: "7", Confirm: 900}, 900, 0, None},
		{"moved on", nil, captured.Record{System: "7", Confirm: 499}, 400, 0, SlotMoved},
		{"moved on, changes stored behind it", nil, captured.Record{System: "7", Confirm: 499}, 600, 0, SlotMoved},
		{"another cluster", nil, captured.Record{System: "8", Confirm: 500}, 500, 0, OtherDatabase},
		{"fail-over behind what is stored", nil, captured.Record{System: "7", Confirm: 600}, 700, 701, None},
		{"fail-over before what is stored", nil, captured.Record{System: "7", Confirm: 600}, 700, 699, WentBack},
		{"fail-over before what is confirmed", nil, captured.Record{System: "7", Confirm: 700}, 600, 699, WentBack},
		{"restored before, and caught up", nil, captured.Record{System: "7", Confirm: 600, WentBack: true}, 700, 0, WentBack},
		{"restored", func(s *slot) { s.end = 650 }, captured.Record{System: "7", Confirm: 600}, 700, 0, WentBack},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := ready
			if test.slot != nil {
				test.slot(&s)
			}
			if err := s.usable(); err != nil {
				t.Fatal(err)
			}
			err := s.origin(test.record, captured.Position{Commit: captured.LSN(test.stored)}, test.branched)
			if got := ProblemOf(err); got != test.want {
				t.Errorf("%q (%v), want %q", got, err, test.want)
			}
		})
	}
}

// A slot that cannot be used is told by what is wrong with it.
func TestUsable(t *testing.T) {
	ready := slot{name: "a", exists: true, plugin: "pgoutput", database: "d", connected: "d"}
	for want, harm := range map[Problem]func(*slot){
		None:          func(*slot) {},
		SlotMissing:   func(s *slot) { s.exists = false },
		SlotLost:      func(s *slot) { s.walStatus = "lost" },
		OtherDatabase: func(s *slot) { s.connected = "e" },
	} {
		s := ready
		harm(&s)
		if got := ProblemOf(s.usable()); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// A history names the place where each earlier timeline ended.
func TestBranchIn(t *testing.T) {
	const history = "1\t0/16B3748\tno recovery target specified\n\n2\t1/10\tbefore 2026-01-01\n"
	for timeline, want := range map[int32]captured.LSN{1: 0x16B3748, 2: 0x1_0000_0010, 5: 1} {
		if got, err := branchIn(history, timeline); err != nil || got != want {
			t.Errorf("timeline %d: %s, %v; want %s", timeline, got, err, want)
		}
	}
}

// What a wait mends is told from what needs somebody.
func TestClasses(t *testing.T) {
	tests := []struct {
		err     error
		want    Problem
		lasting bool
	}{
		{nil, None, false},
		{errors.New("dial tcp: refused"), DatabaseAway, false},
		{fmt.Errorf("session: %w", classed(errors.New("nats: timeout"))), NATSAway, false},
		{fmt.Errorf("x: %w", captured.ErrTrimmed), Trimmed, true},
		{classed(fmt.Errorf("x: %w", captured.ErrNewer)), NewerRecord, true},
		{problemf(Refused, "no key"), Refused, true},
	}
	for _, test := range tests {
		if got := ProblemOf(test.err); got != test.want || got.lasting() != test.lasting {
			t.Errorf("%v: %q, lasting %v", test.err, got, got.lasting())
		}
	}
}

// The rows of a resync win over everything before, and lose against everything after.
func TestPlan(t *testing.T) {
	tests := []struct {
		name           string
		before         captured.Record
		stored         captured.Position
		start, oldest  captured.LSN
		highest, least uint64 // the highest version before, the lowest LSN after
	}{
		{"nothing is known of before", captured.Record{}, captured.Position{}, 500, 450, 1 << 40, 450},
		{"further on", captured.Record{ID: "1", Confirm: 300}, captured.Position{Commit: 320}, 500, 450, 320, 450},
		{"a database that went back", captured.Record{ID: "1", Confirm: 300}, captured.Position{Commit: 900}, 500, 450, 900, 450},
		{"lifted before", captured.Record{ID: "1", Confirm: 300, Lift: 1000}, captured.Position{Commit: 310}, 500, 450, 1310, 450},
		{"lifted before, and back again", captured.Record{ID: "1", Confirm: 800, Lift: 1000}, captured.Position{Commit: 810}, 500, 500, 1810, 500},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := plan(captured.Held{Record: test.before, Seq: 9}, test.stored, freshSlot{start: test.start, oldest: test.oldest})
			if p.version <= test.highest || test.least+p.record.Lift <= p.version {
				t.Errorf("rows have %d, before at most %d, after at least %d", p.version, test.highest, test.least+p.record.Lift)
			}
			if p.behind != 9 || p.record.Confirm != test.start || !p.record.Position.IsZero() || !p.record.Resync {
				t.Errorf("%+v", p)
			}
		})
	}
}

// A message in the log cannot pose as the record of a capture.
func TestEmittedEventOfACapture(t *testing.T) {
	for entity, want := range map[string]bool{"team": true, "captured": true, "capture-team": false, "capture-": false} {
		if _, err := emittedEvent(fmt.Appendf(nil, `{"entity":%q,"op":"update","key":"t1","data":{}}`, entity)); (err == nil) != want {
			t.Errorf("%s: %v", entity, err)
		}
	}
}

// The way on from a change that cannot be published is one that leads past the log.
func TestAdviceForARefusedChange(t *testing.T) {
	err := refused(&relation{Relation: change.Relation{Schema: "public", Name: "users"}}, 0x10, errors.New("no key"))
	for _, part := range []string{"public.users", "0/10", "no key", "stays in the log", "--resync", "--key", "--exclude"} {
		if ProblemOf(err) != Refused || !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in: %v", part, err)
		}
	}
}
