package record

import (
	"maps"
	"time"
)

// Rewound says where the workers of a lane were started again; immutable.
type Rewound struct {
	// ID tells one rewind from the next.
	ID string `json:"id"`
	// From is the lane's sequence from which consumers read, Starts that of those
	// which had not acknowledged so far.
	From   uint64            `json:"from"`
	Starts map[string]uint64 `json:"starts,omitempty"`
	// PausedUntil is how long the workers were paused for when it began.
	PausedUntil *time.Time `json:"paused_until,omitempty"`
	// Hub and Begun tell whose work it is and since when; Done that all consumers
	// were created.
	Hub   string    `json:"hub"`
	Begun time.Time `json:"begun"`
	Done  bool      `json:"done,omitempty"`
}

// Finished is the rewind once it is done: one place, for all consumers, so that
// state records stay small.
func (r *Rewound) Finished() *Rewound {
	next := *r
	for start := range maps.Values(r.Starts) {
		next.From = min(next.From, start)
	}
	next.Starts, next.PausedUntil, next.Done = nil, nil, true
	return &next
}

// StartOf is the lane's sequence from which a consumer reads; 0 is all.
func (s State) StartOf(name string) uint64 {
	if s.Rewound == nil {
		return s.QueueFrom
	}
	if start, ok := s.Rewound.Starts[name]; ok {
		return start
	}
	return s.Rewound.From
}
