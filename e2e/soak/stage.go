package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
)

// stage is where the servers of package cluster run outside of a test: what they
// ask of a testing.TB, and nothing else.
type stage struct {
	testing.TB // nil: no method but those below is called

	out io.Writer

	mu       sync.Mutex // guards the rest
	dirs     []string
	cleanups []func()
	failed   []error
}

// onStage runs something that starts servers, and ends them.
func onStage(out io.Writer, do func(*stage) error) error {
	s := &stage{out: out}
	done := make(chan error, 1)
	go func() {
		var err error
		ended := false
		defer func() {
			if !ended { // by Fatalf
				err = errors.New("given up")
			}
			done <- err
		}()
		err = do(s)
		ended = true
	}()
	err := <-done
	s.close()
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(append([]error{err}, s.failed...)...)
}

func (s *stage) close() {
	s.mu.Lock()
	cleanups, dirs := s.cleanups, s.dirs
	s.mu.Unlock()
	for _, f := range slices.Backward(cleanups) {
		f()
	}
	for _, dir := range dirs {
		if err := os.RemoveAll(dir); err != nil {
			s.Errorf("remove a temporary folder: %v", err)
		}
	}
}

// Helper implements testing.TB.
func (s *stage) Helper() {}

// Cleanup implements testing.TB.
func (s *stage) Cleanup(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cleanups = append(s.cleanups, f)
}

// TempDir implements testing.TB.
func (s *stage) TempDir() string {
	dir, err := os.MkdirTemp("", "replhub-soak-")
	if err != nil {
		s.Fatalf("make a folder: %v", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dirs = append(s.dirs, dir)
	return dir
}

// Failed implements testing.TB.
func (s *stage) Failed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.failed) > 0
}

// Logf implements testing.TB.
func (s *stage) Logf(format string, args ...any) { fmt.Fprintf(s.out, format+"\n", args...) }

// Errorf implements testing.TB.
func (s *stage) Errorf(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = append(s.failed, fmt.Errorf(format, args...))
}

// Fatalf implements testing.TB.
func (s *stage) Fatalf(format string, args ...any) {
	s.Errorf(format, args...)
	runtime.Goexit()
}

// Fatal implements testing.TB.
func (s *stage) Fatal(args ...any) { s.Fatalf("%s", fmt.Sprint(args...)) }
