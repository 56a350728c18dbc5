// Package budget divides a number of bytes into shares. Shares are given in the order
// of the requests, so that no request starves. A share larger than the budget is
// given when no other share is in use. The package does not enforce that a holder
// keeps to its share.
package budget

import (
	"context"
	"slices"
	"sync"
)

// Budget is a number of bytes. Its methods, and those of its shares, may be called
// concurrently.
type Budget struct {
	size int64

	mu    sync.Mutex // guards the rest, and what the shares have
	free  int64
	queue []*Share // those that wait, in their order
}

// New makes a budget of a number of bytes.
func New(size int64) *Budget { return &Budget{size: size, free: size} }

// Size is the budget's size in bytes.
func (b *Budget) Size() int64 { return b.size }

// Share is a part of a budget, given or waited for.
type Share struct {
	b     *Budget
	bytes int64 // as far as the budget goes
	ready chan struct{}
	over  bool
}

// Ask requests a share and returns at once; Ready tells when it is given. End must be
// called at the end, whether or not the share was given.
func (b *Budget) Ask(bytes int64) *Share {
	s := &Share{b: b, bytes: min(bytes, b.size), ready: make(chan struct{})}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.queue = append(b.queue, s)
	b.give()
	return s
}

// Try returns a share if it can be given at once, else nil.
func (b *Budget) Try(bytes int64) *Share {
	b.mu.Lock()
	defer b.mu.Unlock()
	bytes = min(bytes, b.size)
	if len(b.queue) > 0 || bytes > b.free {
		return nil
	}
	b.free -= bytes
	s := &Share{b: b, bytes: bytes, ready: make(chan struct{})}
	close(s.ready)
	return s
}

// Wait waits for a share until ctx ends.
func (b *Budget) Wait(ctx context.Context, bytes int64) (*Share, error) {
	s := b.Ask(bytes)
	select {
	case <-s.ready:
		return s, nil
	case <-ctx.Done():
		s.End()
		return nil, context.Cause(ctx)
	}
}

// Waiting is how many requests for shares wait.
func (b *Budget) Waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.queue)
}

// give gives shares to the waiting requests, in their order. The caller holds the
// lock.
func (b *Budget) give() {
	for len(b.queue) > 0 && b.queue[0].bytes <= b.free {
		s := b.queue[0]
		b.queue[0] = nil
		b.queue = b.queue[1:]
		b.free -= s.bytes
		close(s.ready)
	}
}

// Ready is closed once the share is given.
func (s *Share) Ready() <-chan struct{} { return s.ready }

// Given reports whether the share is given.
func (s *Share) Given() bool {
	select {
	case <-s.ready:
		return true
	default:
		return false
	}
}

// Shrink reduces a given share to a number of bytes and gives the rest back.
func (s *Share) Shrink(bytes int64) {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	if s.over || bytes >= s.bytes {
		return
	}
	s.b.free += s.bytes - bytes
	s.bytes = bytes
	s.b.give()
}

// End gives the share back, or ends the wait for it. A second End, and End of a nil
// share, have no effect.
func (s *Share) End() {
	if s == nil {
		return
	}
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	if s.over {
		return
	}
	s.over = true
	if s.Given() {
		s.b.free += s.bytes
	} else {
		s.b.queue = slices.DeleteFunc(s.b.queue, func(o *Share) bool { return o == s })
	}
	s.b.give()
}
