package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/internal/contract"
)

func TestChecker(t *testing.T) {
	tests := []struct {
		name    string
		numbers []uint64
		err     string
	}{
		{name: "each once in order", numbers: []uint64{1, 2, 3, 4}},
		{name: "one missing", numbers: []uint64{1, 2, 4}, err: "1 missing"},
		{name: "the first missing", numbers: []uint64{2, 3, 4}, err: "1 missing"},
		{name: "the last missing", numbers: []uint64{1, 2, 3}, err: "ends with event 3 of 4"},
		{name: "one twice", numbers: []uint64{1, 2, 2, 3, 4}, err: "event 2 twice"},
		{name: "a run twice", numbers: []uint64{1, 2, 3, 2, 3, 4}, err: "event 2 behind 3"},
		{name: "out of order", numbers: []uint64{1, 3, 2, 4}, err: "event 3 follows 1"},
		{name: "one too many", numbers: []uint64{1, 2, 3, 4, 5}, err: "event 5 was never published"},
		{name: "number none", numbers: []uint64{0}, err: "event 0 was never published"},
		{name: "nothing", err: "ends with event 0 of 4"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := checker{want: 4}
			var err error
			for _, n := range tt.numbers {
				if err = c.add(n); err != nil {
					break
				}
			}
			if err == nil {
				err = c.done()
			}
			if tt.err == "" && err != nil {
				t.Errorf("refused: %v", err)
			}
			if tt.err != "" && (!errors.Is(err, errContents) || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
		})
	}
}

func TestSequenceOfHeaders(t *testing.T) {
	tests := []struct {
		name     string
		sequence sequenceOf
		header   nats.Header
		ok       bool
	}{
		{"hub's", hubSequence, nats.Header{contract.HeaderPosition: {"1-42"}}, true},
		{"hub's of another event", hubSequence, nats.Header{contract.HeaderPosition: {"1-43"}}, false},
		{"none of a hub's", hubSequence, nil, false},
		{"sourced", sourcedSequence, nats.Header{"Nats-Stream-Source": {"DB 42 db.user.* > db.user.update"}}, true},
		{"sourced from another stream", sourcedSequence, nats.Header{"Nats-Stream-Source": {"XX 42 db.user.* > db.user.update"}}, false},
		{"not sourced", sourcedSequence, nil, false},
		{"not asked for", nil, nil, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := sameSequence(tt.sequence, tt.header, 42); (err == nil) != tt.ok || err != nil && !errors.Is(err, errContents) {
				t.Errorf("error %v, want none: %t", err, tt.ok)
			}
		})
	}
}

// The reader of a lane goes red on what a lane must not hold; the checker alone
// would not notice a reader that stops too early.
func TestCheckAll(t *testing.T) {
	tests := []struct {
		name    string
		numbers []uint64
		err     string
	}{
		{name: "whole", numbers: []uint64{1, 2, 3}},
		{name: "empty", err: "0 copies of 3 events"},
		{name: "one short", numbers: []uint64{1, 2}, err: "2 copies of 3 events"},
		{name: "one more behind the last", numbers: []uint64{1, 2, 3, 3}, err: "4 copies of 3 events"},
		{name: "one twice instead of the next", numbers: []uint64{1, 2, 2}, err: "event 2 twice"},
	}
	l, err := newLab(t.Context(), "not needed", t.Output())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.close(); err != nil {
			t.Error(err)
		}
	})
	s, err := l.startServer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	})
	lanes, _, err := plainLanes(t.Context(), s.js, len(tests), straightSubject)
	if err != nil {
		t.Fatal(err)
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, n := range tt.numbers {
				if _, err := s.js.Publish(t.Context(), straightSubject(i), payload(n)); err != nil {
					t.Fatal(err)
				}
			}
			err := checkAll(t.Context(), s.js, lanes[i:i+1], 3, nil)
			if tt.err == "" && err != nil {
				t.Errorf("refused: %v", err)
			}
			if tt.err != "" && (!errors.Is(err, errContents) || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
		})
	}
}
