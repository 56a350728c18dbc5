package treetest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/replhub/replhub/internal/tree"
)

func memberAppearsAndLeaves(t *testing.T, b Backend) {
	watcher := open(t, b)
	m := b.Open(t)
	m.Join("hubs/a", []byte("1"))
	stop := Start(t, m)
	Await(t, watcher, "the member", Has("hubs/a", "1"))
	Await(t, m, "the member, by itself", Has("hubs/a", "1"))
	m.Join("hubs/a", []byte("2"))
	Await(t, watcher, "the member's new value", Has("hubs/a", "2"))
	m.Join("hubs/b", nil)
	Await(t, watcher, "a second member", Has("hubs/b", ""))
	if err := stop(); err != nil {
		t.Fatalf("Run: %v", err)
	}
	// It left: far sooner than it would have been missed.
	Await(t, watcher, "the members gone", func(s *tree.Snapshot) bool { return Lacks("hubs/a")(s) && Lacks("hubs/b")(s) })
	bad := open(t, b)
	bad.Join("hubs/a b", nil)
	Until(t, "an alarm about the bad member", func() bool {
		return strings.Contains(strings.Join(bad.Alarms(), "\n"), "hubs/a b")
	})
}

func memberOfADeadProcessVanishes(t *testing.T, b Backend) {
	watcher := open(t, b)
	m, die := b.OpenMortal(t)
	m.Join("hubs/a", []byte("1"))
	Start(t, m)
	Await(t, watcher, "the member", Has("hubs/a", "1"))
	died := time.Now()
	die()
	Await(t, watcher, "the dead member gone", Lacks("hubs/a"))
	if took := time.Since(died); took > 10*time.Second {
		t.Errorf("gone only after %v", took)
	}
}

func memberIsHeldByOne(t *testing.T, b Backend) {
	first, second := b.Open(t), b.Open(t)
	first.Join("hubs/a", []byte("first"))
	stop := Start(t, first)
	Await(t, first, "the member", Has("hubs/a", "first"))
	second.Join("hubs/a", []byte("second"))
	Start(t, second)
	Until(t, "an alarm about the member held by another", func() bool {
		return strings.Contains(strings.Join(second.Alarms(), "\n"), "hubs/a")
	})
	if !Has("hubs/a", "first")(first.Snapshot()) {
		t.Error("the second holder pushed the first out")
	}
	if err := stop(); err != nil {
		t.Fatalf("Run: %v", err)
	}
	Await(t, second, "the second holder", Has("hubs/a", "second"))
	Until(t, "the alarm gone", func() bool { return len(second.Alarms()) == 0 })
}

func memberComesBackWhenDeleted(t *testing.T, b Backend) {
	m, other := b.Open(t), open(t, b)
	m.Join("hubs/a", []byte("1"))
	Start(t, m)
	Await(t, other, "the member", Has("hubs/a", "1"))
	before, err := other.Get(within(t), "hubs/a")
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Delete(within(t), "hubs/a", tree.Any); err != nil {
		t.Fatal(err)
	}
	Await(t, other, "the member again", func(s *tree.Snapshot) bool {
		return Has("hubs/a", "1")(s) && s.Entries["hubs/a"].Version > before.Version
	})
}

func awayAtStart(t *testing.T, b Backend) {
	b.Stop(t)
	m := b.Open(t)
	m.Join("hubs/a", []byte("1"))
	Start(t, m)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := m.Get(ctx, "services/a")
	want(t, "get while away", err, tree.ErrUnavailable)
	if m.Snapshot() != nil {
		t.Error("a snapshot of nothing")
	}
	if s := m.Status(); s.Connected || s.Err == "" {
		t.Errorf("status %+v", s)
	}
	b.Start(t)
	Await(t, m, "the member", Has("hubs/a", "1"))
	if s := m.Status(); !s.Connected || s.Err != "" {
		t.Errorf("status %+v", s)
	}
	MustPut(t, m, "services/a", "1", tree.Absent)
}

func restart(t *testing.T, b Backend) {
	m := open(t, b)
	m.Join("hubs/a", []byte("1"))
	MustPut(t, m, "services/a", "1", tree.Any)
	Await(t, m, "both", func(s *tree.Snapshot) bool { return len(s.Entries) == 2 })
	b.Stop(t)
	Until(t, "status down", func() bool { return !m.Status().Connected })
	if !Has("services/a", "1")(m.Snapshot()) {
		t.Error("the snapshot went with the store")
	}
	b.Start(t)
	Until(t, "status up", func() bool { return m.Status().Connected })
	other := open(t, b)
	MustPut(t, other, "services/b", "1", tree.Any)
	Await(t, m, "a record made after it", Has("services/b", "1"))
	Await(t, other, "member and old record", func(s *tree.Snapshot) bool {
		return Has("hubs/a", "1")(s) && Has("services/a", "1")(s)
	})
}

func contextEndsWhilePaused(t *testing.T, b Backend) {
	m := open(t, b)
	MustPut(t, m, "services/a", "1", tree.Any)
	b.Pause(t)
	defer b.Continue(t)
	for name, call := range map[string]func(context.Context) error{
		"get":    func(ctx context.Context) error { _, err := m.Get(ctx, "services/a"); return err },
		"put":    func(ctx context.Context) error { _, err := m.Put(ctx, "services/a", nil, tree.Any); return err },
		"delete": func(ctx context.Context) error { return m.Delete(ctx, "services/a", tree.Any) },
	} {
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error, 1)
		go func() { result <- call(ctx) }()
		cancel()
		select {
		case err := <-result:
			want(t, name, err, tree.ErrUnavailable)
			want(t, name, err, context.Canceled)
		case <-time.After(patience):
			t.Fatalf("%s goes on after its context ended", name)
		}
	}
	// Without an end of its own, a call has the map's bound.
	began := time.Now()
	_, err := m.Get(context.Background(), "services/a")
	want(t, "get, unbounded", err, tree.ErrUnavailable)
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("took %v", took)
	}
}

func callsWithoutRun(t *testing.T, b Backend) {
	m := b.Open(t)
	stop := Start(t, m)
	Loaded(t, m)
	if err := stop(); err != nil {
		t.Fatalf("Run: %v", err)
	}
	_, err := m.Get(within(t), "services/a")
	want(t, "get after Run", err, tree.ErrUnavailable)
	if m.Status().Connected {
		t.Error("connected after Run")
	}
	if err := m.Run(within(t)); err == nil {
		t.Error("a second Run is not refused")
	}
}

func runEndsWithoutLeaks(t *testing.T, b Backend) {
	before := len(mapGoroutines())
	m, die := b.OpenMortal(t)
	m.Join("hubs/a", nil)
	stop := Start(t, m)
	Loaded(t, m)
	die()
	// Calls that nobody waits for any more.
	for range 100 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		_, err := m.Get(ctx, "services/a")
		want(t, "get after the cut", err, tree.ErrUnavailable)
		cancel()
	}
	began := time.Now()
	if err := stop(); err != nil {
		t.Fatalf("Run: %v", err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("Run ended only after %v", took)
	}
	// A goroutine that was waited for may still be on its last instruction.
	Until(t, "all goroutines gone", func() bool { return len(mapGoroutines()) <= before })
}
