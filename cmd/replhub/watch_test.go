package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/cluster"
)

// watching runs the verb against a hub whose next state is sent into states,
// and returns its output line by line.
func watching(t *testing.T, terminal bool, args ...string) (states chan<- contract.Services, line func() string) {
	t.Helper()
	b := newBench(t)
	next := make(chan contract.Services, 10)
	var now contract.Services
	b.serve(t, "replhub.services", func(req micro.Request) {
		select {
		case now = <-next:
		default:
		}
		_ = req.RespondJSON(now)
	})

	reader, writer := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	code := make(chan int)
	go func() {
		a := &app{in: strings.NewReader(""), out: writer, errOut: io.Discard, isTerminal: func(any) bool { return terminal }}
		code <- a.run(ctx, append([]string{"watch", "--interval", "1ms"}, args...))
	}()
	t.Cleanup(func() {
		cancel()
		_ = reader.CloseWithError(io.EOF)
		if got := <-code; got != exitDone && ctx.Err() == nil {
			t.Errorf("exit %d", got)
		}
	})
	lines := bufio.NewScanner(reader)
	return next, func() string {
		if !lines.Scan() {
			t.Fatalf("output ended: %v", lines.Err())
		}
		return lines.Text()
	}
}

func lane(service string, backlog uint64, oldest float64) contract.LaneStatus {
	return contract.LaneStatus{Service: service, State: contract.LaneLive, Backlog: backlog, OldestUnacked: oldest}
}

func TestWatchPrintsALineAChange(t *testing.T) {
	states, line := watching(t, false)
	states <- contract.Services{Services: []contract.LaneStatus{lane("sharing", 1, 1)}}
	expect(t, line(), "sharing live: lag 0, backlog 1, dead letters 0")
	states <- contract.Services{Services: []contract.LaneStatus{lane("sharing", 1, 2)}} // only older: no line
	states <- contract.Services{Services: []contract.LaneStatus{lane("sharing", 2, 3)}}
	expect(t, line(), "sharing live: lag 0, backlog 2, dead letters 0")
	filling := lane("sharing", 2, 3)
	filling.State, filling.Reason = contract.LaneFilling, "no instance serves a snapshot of user: start its owner"
	filling.Fill = &contract.FillStatus{Kind: contract.FillSnapshot, Entities: []string{"user"}, Rows: 12_000}
	states <- contract.Services{Services: []contract.LaneStatus{filling}}
	expect(t, line(), "sharing filling: lag 0, backlog 2, dead letters 0, 12000 rows of user; no instance serves a snapshot of user: start its owner")
	states <- contract.Services{}
	expect(t, line(), "sharing gone: lag 0, backlog 0, dead letters 0")
}

func TestWatchJSON(t *testing.T) {
	states, line := watching(t, true, "--json")
	states <- contract.Services{Services: []contract.LaneStatus{lane("sharing", 1, 1)}}
	if got := line(); !strings.HasPrefix(got, `{"service":"sharing",`) || !strings.Contains(got, `"backlog":1,`) {
		t.Errorf("line %s", got)
	}
}

func TestWatchRedrawsATerminal(t *testing.T) {
	states, line := watching(t, true)
	states <- contract.Services{Services: []contract.LaneStatus{lane("sharing", 1, 1)}}
	for got := line(); ; got = line() {
		if strings.HasPrefix(got, clearScreen+"SERVICE") {
			break
		}
	}
	if got := line(); !strings.HasPrefix(got, "sharing  live") {
		t.Errorf("row %q", got)
	}
	for range 3 { // again and again without a change
		line()
	}
}

func TestWatchEndsDoneWhenInterrupted(t *testing.T) {
	b := newBench(t)
	b.answer(t, "replhub.services", contract.Services{})
	ctx, interrupt := context.WithCancel(t.Context())
	go func() {
		for range 3 {
			<-b.asked
		}
		interrupt()
	}()
	if o := execute(ctx, "", "watch", "--interval", "1ms"); o.code != exitDone {
		t.Errorf("exit %d: %s", o.code, o.stderr)
	}
}

func TestWatchEndsWhenRefused(t *testing.T) {
	b := newBench(t)
	b.answer(t, "replhub.services", contract.Errorf(contract.CodeInternal, "no"))
	if o := execute(t.Context(), "", "watch"); o.code != exitFailed {
		t.Errorf("exit %d: %s", o.code, o.stderr)
	}
}

func expect(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// The password of a context is changed at the server first: watch goes on once the
// context's file follows.
func TestWatchOutlivesRotatedCredentials(t *testing.T) {
	newBench(t) // an environment of its own
	users := func(password string) []cluster.NATSOption {
		return []cluster.NATSOption{cluster.NATSUser("hub", "hub", ""), cluster.NATSUser("ada", password, "")}
	}
	s := cluster.StartNATS(t, users("before")...)
	t.Setenv("NATS_URL", "")
	hub, err := nats.Connect(s.URL(), nats.UserInfo("hub", "hub"))
	if err != nil {
		t.Fatal(err)
	}
	defer hub.Close()
	b := &bench{nc: hub}
	var backlog atomic.Uint64
	b.serve(t, "replhub.services", func(req micro.Request) {
		_ = req.RespondJSON(contract.Services{Services: []contract.LaneStatus{lane("sharing", backlog.Load(), 0)}})
	})
	contexts(t, "here", map[string]any{"here": map[string]any{"url": s.URL(), "user": "ada", "password": "before"}})
	file := filepath.Join(os.Getenv("XDG_CONFIG_HOME"), "nats", "context", "here.json")

	reader, writer := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	code := make(chan int)
	refused := make(chan struct{})
	go func() {
		a := &app{in: strings.NewReader(""), out: writer, errOut: onFirst(func() { close(refused) }), isTerminal: func(any) bool { return false }}
		code <- a.run(ctx, []string{"watch", "--interval", "1ms", "--timeout", "300ms"})
	}()
	defer func() {
		cancel()
		_ = reader.CloseWithError(io.EOF)
		<-code
	}()
	lines := bufio.NewScanner(reader)
	line := func(want string) {
		t.Helper()
		if !lines.Scan() || lines.Text() != want {
			t.Fatalf("line %q, want %q", lines.Text(), want)
		}
	}
	line("sharing live: lag 0, backlog 0, dead letters 0")
	s.SetUsers(users("after")...)
	<-refused
	if err := os.WriteFile(file, fmt.Appendf(nil, `{"url":%q,"user":"ada","password":"after"}`, s.URL()), 0o600); err != nil {
		t.Fatal(err)
	}
	backlog.Store(7)
	line("sharing live: lag 0, backlog 7, dead letters 0")
}

// onFirst calls f at the first write.
func onFirst(f func()) io.Writer { return &firstWrite{do: sync.OnceFunc(f)} }

type firstWrite struct{ do func() }

func (w *firstWrite) Write(p []byte) (int, error) {
	w.do()
	return len(p), nil
}
