package mirror

import (
	"bytes"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/replhub/replhub/internal/tree"
)

// State is what a map shows to its readers. The zero value is not usable;
// NewState makes one. Safe for concurrent use, with one publisher.
type State struct {
	snapshot atomic.Pointer[tree.Snapshot]

	mu      sync.Mutex // guards below
	changed chan struct{}
	status  tree.Status
}

// NewState returns a state without a snapshot, disconnected since now.
func NewState() *State {
	return &State{changed: make(chan struct{}), status: tree.Status{Since: time.Now(), Err: "not connected yet"}}
}

// Snapshot returns the newest snapshot, nil before the first.
func (s *State) Snapshot() *tree.Snapshot { return s.snapshot.Load() }

// Changed returns a channel that is closed when a snapshot is published after
// this call.
func (s *State) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// Publish makes entries the newest snapshot, unless they equal the current
// one. The caller must not touch entries afterwards.
func (s *State) Publish(entries map[string]tree.Entry) {
	if now := s.snapshot.Load(); now != nil && maps.EqualFunc(now.Entries, entries, sameEntry) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	// The snapshot first: who takes the new channel must see it.
	s.snapshot.Store(&tree.Snapshot{Entries: entries})
	close(s.changed)
	s.changed = make(chan struct{})
}

func sameEntry(a, b tree.Entry) bool {
	return a.Version == b.Version && bytes.Equal(a.Value, b.Value)
}

// Status returns the connection's state.
func (s *State) Status() tree.Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

// Up notes that the store is connected and loaded.
func (s *State) Up() { s.set(true, "") }

// Down notes that the store is away, and why.
func (s *State) Down(err error) { s.set(false, err.Error()) }

func (s *State) set(connected bool, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.status.Connected != connected {
		s.status.Since = time.Now()
	}
	s.status.Connected, s.status.Err = connected, reason
}
