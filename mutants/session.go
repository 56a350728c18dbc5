package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// tries is how often a test may stay green before its mutant has survived: some
// mechanisms guard a race, which a run meets most of the time, not always.
const tries = 5

// session judges mutants and reports them.
type session struct {
	builds *builds
	out    io.Writer
	why    bool

	built time.Duration // how long the builds took

	mu       sync.Mutex // guards what follows, and out
	survived []string
	spent    time.Duration
}

// judge tries mutants, some at a time.
func (s *session) judge(ctx context.Context, chosen []mutant, atOnce int) error {
	began := time.Now()
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, m := range chosen {
		group.Go(func() error { return s.one(groupCtx, m) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%d mutants, built in %s and tried in %s, %d at a time; their times add up to %s\n", len(chosen),
		s.built.Round(time.Second), time.Since(began).Round(time.Second), atOnce, s.spent.Round(time.Second))
	if len(s.survived) > 0 {
		return fmt.Errorf("%d of %d survived: their tests do not hold what they say: %s", len(s.survived), len(chosen), strings.Join(s.survived, ", "))
	}
	return nil
}

// one judges a mutant. The error is that of ctx.
func (s *session) one(ctx context.Context, m mutant) error {
	began := time.Now()
	result, err := s.builds.try(ctx, m)
	for again := 1; again < tries && err == nil && result.verdict == green; again++ {
		result, err = s.builds.try(ctx, m)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	took := time.Since(began)
	s.spent += took
	word := "red"
	switch {
	case err != nil:
		word = "BROKEN"
		s.survived = append(s.survived, m.name)
		fmt.Fprintf(s.out, "%s: %v\n", m.name, err)
	case result.verdict == green:
		word = "SURVIVED"
		s.survived = append(s.survived, m.name)
	}
	fmt.Fprintf(s.out, "%-9s %-28s %s (%s)\n", word, m.name, m.test, took.Round(100*time.Millisecond))
	if s.why && result.why != "" {
		fmt.Fprintf(s.out, "          %s\n", result.why)
	}
	return nil
}
