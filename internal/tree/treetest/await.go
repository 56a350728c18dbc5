package treetest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/replhub/replhub/internal/tree"
)

// patience bounds every wait: far beyond what a loaded machine needs.
const patience = 30 * time.Second

// Start runs m until the test ends and returns a stop function that ends it
// earlier and returns Run's error.
func Start(t *testing.T, m Map) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		result <- m.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return func() error {
		cancel()
		<-ended
		return <-result
	}
}

// Await waits until ok holds of m's snapshot and returns that snapshot.
func Await(t *testing.T, m Map, what string, ok func(*tree.Snapshot) bool) *tree.Snapshot {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		changed := m.Changed()
		if s := m.Snapshot(); s != nil && ok(s) {
			return s
		}
		select {
		case <-changed:
		case <-deadline.C:
			t.Fatalf("%s: not within %v; %s; status %+v; alarms %q", what, patience, describe(m.Snapshot()), m.Status(), m.Alarms())
		}
	}
}

// Until waits for a condition that no channel tells.
func Until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// Loaded waits for m's first snapshot.
func Loaded(t *testing.T, m Map) {
	t.Helper()
	Await(t, m, "first snapshot", func(*tree.Snapshot) bool { return true })
}

// Has is a condition for Await: path holds value.
func Has(path, value string) func(*tree.Snapshot) bool {
	return func(s *tree.Snapshot) bool {
		e, ok := s.Entries[path]
		return ok && string(e.Value) == value
	}
}

// Lacks is a condition for Await: path holds nothing.
func Lacks(path string) func(*tree.Snapshot) bool {
	return func(s *tree.Snapshot) bool {
		_, ok := s.Entries[path]
		return !ok
	}
}

// MustPut writes and returns the version, whatever it takes of the store's
// own time.
func MustPut(t *testing.T, m Map, path, value string, expect tree.Version) tree.Version {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	v, err := m.Put(ctx, path, []byte(value), expect)
	if err != nil {
		t.Fatalf("Put(%q, %q, %d): %v", path, value, expect, err)
	}
	return v
}

func describe(s *tree.Snapshot) string {
	if s == nil {
		return "no snapshot"
	}
	paths := slices.Sorted(maps.Keys(s.Entries))
	return fmt.Sprintf("%d records %q", len(paths), paths[:min(len(paths), 20)])
}
