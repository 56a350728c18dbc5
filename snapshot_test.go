package replhub_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/internal/contract"
)

// numbers yields rows 1 to n behind a key.
func numbers(n int) replhub.SnapshotFunc {
	return func(_ context.Context, after string, yield func(replhub.Event) error) error {
		from, _ := strconv.Atoi(after)
		for i := from + 1; i <= n; i++ {
			if err := yield(replhub.Event{Key: strconv.Itoa(i), Data: []byte("row"), Version: int64(i)}); err != nil {
				return err
			}
		}
		return nil
	}
}

// serve serves a snapshot of user until the test ends or stop is called.
func (l *lab) serve(c *replhub.Client, rows replhub.SnapshotFunc) (stop func() error) {
	l.t.Helper()
	return l.serveRows(c, replhub.Rows{All: rows})
}

func (l *lab) serveRows(c *replhub.Client, rows replhub.Rows) (stop func() error) {
	l.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.ServeRows(ctx, "user", rows) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	l.t.Cleanup(func() { _ = stop() })
	return stop
}

// askRows asks for rows as the hub does, and returns their keys and the message
// that ends the answer. Waits are counted.
func (l *lab) askRows(nc *nats.Conn, asked contract.SnapshotRequest) (keys []string, end *nats.Msg, waits int) {
	l.t.Helper()
	data, err := json.Marshal(asked)
	if err != nil {
		l.t.Fatal(err)
	}
	inbox := nc.NewInbox()
	sub, err := nc.SubscribeSync(inbox)
	if err != nil {
		l.t.Fatal(err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	l.eventually("somebody to serve", func() error {
		if err := nc.PublishRequest("replhub._snapshot.user", inbox, data); err != nil {
			return err
		}
		end, err = sub.NextMsg(20 * time.Second)
		return err
	})
	for {
		switch end.Header.Get("Replhub-Snapshot") {
		case "":
			keys = append(keys, end.Header.Get("Replhub-Key"))
			if got := end.Header.Get("Replhub-Row"); got != strconv.Itoa(len(keys)) {
				l.t.Errorf("row %s is number %d", got, len(keys))
			}
		case "wait":
			waits++
		default:
			return keys, end, waits
		}
		if end, err = sub.NextMsg(20 * time.Second); err != nil {
			l.t.Fatal(err)
		}
	}
}

func TestServeSnapshotAnswersInChunks(t *testing.T) {
	l := newLab(t)
	c := l.client(func(c *replhub.Config) { c.Service = "accounts" })
	l.serve(c, numbers(10))
	nc := l.js().Conn()
	for _, tt := range []struct {
		asked contract.SnapshotRequest
		want  []string
	}{
		{contract.SnapshotRequest{Limit: 4, MaxBytes: 1000}, []string{"1", "2", "3", "4"}},
		{contract.SnapshotRequest{After: "4", Limit: 100, MaxBytes: 7}, []string{"5", "6", "7"}},
		{contract.SnapshotRequest{After: "7"}, []string{"8", "9", "10"}},
		{contract.SnapshotRequest{After: "10", Limit: 4}, nil},
	} {
		keys, end, _ := l.askRows(nc, tt.asked)
		if !slices.Equal(keys, tt.want) || end.Header.Get("Replhub-Snapshot") != "end" ||
			end.Header.Get("Replhub-Row") != strconv.Itoa(len(tt.want)) || end.Header.Get("Replhub-Origin") != "accounts" {
			t.Errorf("asked for %+v: %q, %v", tt.asked, keys, end.Header)
		}
	}
}

// The end of an answer says about how many rows there are, and the rows come also where
// nobody can count them.
func TestServeRowsTellsHowManyThereAre(t *testing.T) {
	t.Parallel()
	end := make(chan struct{})
	t.Cleanup(func() { close(end) })
	for name, c := range map[string]struct {
		count func(context.Context) (uint64, error)
		want  string
	}{
		"counted":       {func(context.Context) (uint64, error) { return 1000, nil }, "1000"},
		"fails":         {func(context.Context) (uint64, error) { return 1000, errors.New("no statistics") }, ""},
		"panics":        {func(context.Context) (uint64, error) { panic("no statistics") }, ""},
		"hangs":         {func(ctx context.Context) (uint64, error) { <-ctx.Done(); return 0, ctx.Err() }, ""},
		"heeds nothing": {func(context.Context) (uint64, error) { <-end; return 0, nil }, ""},
		"unknown":       {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			var calls atomic.Int32
			rows := replhub.Rows{All: numbers(10)}
			if c.count != nil {
				rows.Count = func(ctx context.Context) (uint64, error) { calls.Add(1); return c.count(ctx) }
			}
			l.serveRows(l.client(func(c *replhub.Config) { c.Service = "accounts" }), rows)
			for after, want := range map[string]int{"": 4, "4": 4, "8": 2} {
				keys, end, _ := l.askRows(l.js().Conn(), contract.SnapshotRequest{After: after, Limit: 4})
				if got := end.Header.Get("Replhub-Rows"); len(keys) != want || got != c.want {
					t.Errorf("behind %q: %q of %q", after, keys, got)
				}
			}
			if n := calls.Load(); c.count != nil && n != 1 {
				t.Errorf("counted %d times within a minute", n)
			}
		})
	}
}

func TestServeSnapshotTellsWhatWentWrong(t *testing.T) {
	l := newLab(t)
	c := l.client(func(c *replhub.Config) { c.Service = "accounts" })
	nc := l.js().Conn()
	one := func(ev replhub.Event) replhub.SnapshotFunc {
		return func(_ context.Context, _ string, yield func(replhub.Event) error) error {
			_ = yield(ev) // an error that is not heeded is told all the same
			return nil
		}
	}
	for name, tt := range map[string]struct {
		rows replhub.SnapshotFunc
		want string
	}{
		"an error": {func(context.Context, string, func(replhub.Event) error) error {
			return errors.New("the table\nis locked")
		}, "the table is locked"},
		"a panic":           {func(context.Context, string, func(replhub.Event) error) error { panic("oh") }, "panic: oh"},
		"no key":            {one(replhub.Event{Data: []byte("x")}), "Key: a row needs one"},
		"a key with spaces": {one(replhub.Event{Key: " k"}), "cannot be a header's value"},
		"another entity":    {one(replhub.Event{Entity: "tenant", Key: "k"}), `"tenant" in a snapshot of user`},
		"a huge row":        {one(replhub.Event{Key: "k", Data: make([]byte, 2<<20)}), "too large for the server"},
		"too slow": {func(ctx context.Context, _ string, _ func(replhub.Event) error) error {
			<-ctx.Done()
			return ctx.Err()
		}, "deadline exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			stop := l.serve(c, tt.rows)
			keys, end, waits := l.askRows(nc, contract.SnapshotRequest{Timeout: contract.Duration(1100 * time.Millisecond)})
			if got := end.Header.Get("Replhub-Error"); len(keys) != 0 || end.Header.Get("Replhub-Snapshot") != "error" || !strings.Contains(got, tt.want) {
				t.Errorf("%d rows, then %v", len(keys), end.Header)
			}
			if name == "too slow" && waits != 1 {
				t.Errorf("the hub was told %d times to wait", waits)
			}
			if err := stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestServeSnapshotEnds(t *testing.T) {
	l := newLab(t)
	nc := l.js().Conn()
	began := make(chan struct{})
	hang := func(ctx context.Context, _ string, _ func(replhub.Event) error) error {
		close(began)
		<-ctx.Done()
		return ctx.Err()
	}
	c := l.client(func(c *replhub.Config) { c.Service = "accounts" })
	done := make(chan error, 1)
	go func() { done <- c.ServeSnapshot(t.Context(), "user", hang) }()
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		l.askRows(nc, contract.SnapshotRequest{})
	}()
	<-began
	c.Close() // waits for the call, whose context ends
	if err := <-done; !errors.Is(err, replhub.ErrClosed) {
		t.Errorf("ended with %v", err)
	}
	<-asked

	nameless := l.client()
	if err := nameless.ServeSnapshot(t.Context(), "user", hang); !errors.Is(err, replhub.ErrNoService) {
		t.Errorf("without a service: %v", err)
	}
	named := l.client(func(c *replhub.Config) { c.Service = "accounts" })
	for _, err := range []error{named.ServeSnapshot(t.Context(), "User", hang), named.ServeSnapshot(t.Context(), "user", nil)} {
		if err == nil {
			t.Error("served nonsense")
		}
	}
}

// Rows reach the handlers of a service that registers with StartSnapshot.
func TestSubscribeWithASnapshot(t *testing.T) {
	l := newLab(t)
	l.startHub()
	l.serve(l.client(func(c *replhub.Config) { c.Service = "accounts" }), numbers(1200))
	sharing := l.client(func(c *replhub.Config) { c.Service = "sharing" })
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var mu sync.Mutex
	got := make(map[string]bool)
	err := sharing.RunSubscriber(ctx, replhub.SubscriberConfig{
		Registration: replhub.Registration{Interests: []replhub.Interest{{Entity: "user", Start: replhub.StartSnapshot()}}},
	}, replhub.HandlerFunc(func(_ context.Context, d *replhub.Delivery) error {
		mu.Lock()
		defer mu.Unlock()
		if d.Op != replhub.Create || d.Origin != "accounts" || strconv.FormatInt(d.Version, 10) != d.Key || d.Position == (replhub.Position{}) {
			t.Errorf("delivery %+v", d)
		}
		if got[d.Key] = true; len(got) == 1200 {
			cancel()
		}
		return nil
	}))
	if err != nil || len(got) != 1200 {
		t.Errorf("%d rows, %v", len(got), err)
	}
}

// The owner serves its rows, and a service that registers with StartSnapshot
// gets them beside the events from then on.
func ExampleClient_ServeSnapshot() {
	url, stop := exampleHub()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	accounts, err := replhub.Connect(ctx, replhub.Config{URL: url, Service: "accounts"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer accounts.Close()
	served := make(chan error, 1)
	go func() {
		table := []string{"ada", "bob", "eve"} // in the order of an index
		served <- accounts.ServeSnapshot(ctx, "user", func(_ context.Context, after string, yield func(replhub.Event) error) error {
			for _, name := range table {
				if name <= after {
					continue
				}
				if err := yield(replhub.Event{Key: name, Data: []byte(`{"name":"` + name + `"}`)}); err != nil {
					return err
				}
			}
			return nil
		})
	}()

	sharing, err := replhub.Connect(ctx, replhub.Config{URL: url, Service: "sharing"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer sharing.Close()
	err = sharing.RunSubscriber(ctx, replhub.SubscriberConfig{
		Registration: replhub.Registration{Interests: []replhub.Interest{{Entity: "user", Start: replhub.StartSnapshot()}}},
		Workers:      1,
	}, replhub.HandlerFunc(func(_ context.Context, d *replhub.Delivery) error {
		fmt.Println(d.Op, d.Key, string(d.Data))
		if d.Key == "eve" {
			cancel()
		}
		return nil
	}))
	fmt.Println(err, <-served)
	// Output:
	// create ada {"name":"ada"}
	// create bob {"name":"bob"}
	// create eve {"name":"eve"}
	// <nil> <nil>
}
