package record

import (
	"maps"
	"strings"
	"time"
)

// Rewound says where the workers of a lane were started again; immutable.
type Rewound struct {
	// ID tells one rewind from the next.
	ID string `json:"id"`
	// From is the lane's sequence from which consumers read. Starts has the lower
	// sequences of consumers that had not acknowledged that far.
	From   uint64            `json:"from"`
	Starts map[string]uint64 `json:"starts,omitempty"`
	// PausedUntil is the time until which the workers were paused when the rewind
	// began.
	PausedUntil *time.Time `json:"paused_until,omitempty"`
	// Hub and Begun tell which hub performs the rewind and since when. Done says that
	// all consumers were created.
	Hub   string    `json:"hub"`
	Begun time.Time `json:"begun"`
	Done  bool      `json:"done,omitempty"`
}

// Finished returns the rewind once it is done: with one place for all consumers, so
// that state records stay small.
func (r *Rewound) Finished() *Rewound {
	next := *r
	for start := range maps.Values(r.Starts) {
		next.From = min(next.From, start)
	}
	next.Starts, next.PausedUntil, next.Done = nil, nil, true
	return &next
}

// OfRewind reports whether a consumer of a generation was created for the lane, by its last
// rewind or since. lane distinguishes the lane from an earlier one of the same name. Where a
// consumer of another lane or rewind stands proves nothing. Such a rewind can also be one
// that a lane has lost with its last messages.
func (s State) OfRewind(generation, lane string) bool {
	since, ok := strings.CutPrefix(generation, lane)
	_, id, _ := strings.Cut(since, "/")
	return ok && id == s.rewindID()
}

func (s State) rewindID() string {
	if s.Rewound == nil {
		return ""
	}
	return s.Rewound.ID
}

// StartOf is the lane's sequence from which a consumer reads; 0 means the first.
func (s State) StartOf(name string) uint64 {
	if s.Rewound == nil {
		return s.QueueFrom
	}
	if start, ok := s.Rewound.Starts[name]; ok {
		return start
	}
	return s.Rewound.From
}
