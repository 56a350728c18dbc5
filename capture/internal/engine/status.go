package engine

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/replhub/replhub/internal/captured"
)

// Counts are what an engine did since it began.
type Counts struct {
	Events, Bytes, Appends, Records atomic.Uint64
	// Transactions counts ends of transactions that had changes.
	Transactions atomic.Uint64
	// Lookups counts reads of large values that the log leaves out; Superseded the
	// changes that were left out because their row no longer exists.
	Lookups, Superseded atomic.Uint64
	// Skipped counts changes that were stored already; Doubts how often it was read
	// back what is stored.
	Skipped, Doubts atomic.Uint64
	// Refused counts messages of the log that are no events; Truncates tables that were
	// truncated.
	Refused, Truncates atomic.Uint64
	// LeftOut counts changes that could not become events.
	LeftOut atomic.Uint64
	// Sessions counts connections to the slot.
	Sessions atomic.Uint64
}

// State says what an engine does.
type State string

// The states of an engine.
const (
	Starting  State = "starting"
	Standby   State = "standby"   // another process captures this slot
	Capturing State = "capturing" // changes are stored as they come
	Waiting   State = "waiting"   // something is unavailable; it is tried again
	Stopped   State = "stopped"   // it needs somebody's decision: see Problem
)

// Status is how an engine fares.
type Status struct {
	State State
	// Problem is the class of what is wrong, Err what it is in words; empty and nil
	// when nothing is.
	Problem Problem
	Err     error
	// Since is the time of the last change of State or Problem.
	Since time.Time
	// Stored is the last change in ingest, Confirmed how far the slot is confirmed, and
	// End the end of the server's log as far as it is known.
	Stored         captured.Position
	Confirmed, End captured.LSN
	// Truncated are the tables that were truncated since the last resync.
	Truncated []string
	// LeftOut are the changes that were left out since then.
	LeftOut []captured.LeftOut
	// Altered are columns that were altered since then.
	Altered []captured.Altered
}

// status is the Status that others may read.
type status struct {
	mu  sync.Mutex // guards now
	now Status
}

func (s *status) read() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *status) change(f func(*Status)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.now)
}

// enter notes a state, and reports whether it or the problem is another one.
func (s *status) enter(state State, problem Problem, err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := s.now.State != state || s.now.Problem != problem
	if changed {
		s.now.Since = time.Now()
	}
	s.now.State, s.now.Problem, s.now.Err = state, problem, err
	return changed
}
