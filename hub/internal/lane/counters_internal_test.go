package lane

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/match"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/natstest"
	"github.com/replhub/replhub/subjects"
)

// freshLane is a lane without interests that stands at the end of its stream.
func freshLane(t *testing.T, letters Letters) *Lane {
	t.Helper()
	js := natstest.Start(t).JetStream()
	g, err := ingest.Open(t.Context(), ingest.Config{JS: js})
	if err != nil {
		t.Fatal(err)
	}
	a, err := NewAppender(js, Fast)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	service, err := subjects.ParseName("s")
	if err != nil {
		t.Fatal(err)
	}
	if err := Create(t.Context(), js, a, service, 1, First(ingest.Mark{}, DefaultQueue(), 0), "h"); err != nil {
		t.Fatal(err)
	}
	l := New(NewEnv(Env{JS: js, Ingest: g, Tail: g.NewTail(ingest.Mark{}), Appender: a, Letters: letters, Log: slog.New(slog.DiscardHandler)}), service)
	if err := l.sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	return l
}

// Copies are counted once they are known to be stored: those of an append whose
// answer was lost when the lane is read again, and none that is not there.
func TestCopiesAreCountedAsTheyAreStored(t *testing.T) {
	l := freshLane(t, nil)
	two := make([]Message, 2)
	for i := range two {
		two[i] = Message{Subject: "sub.s.user.create.0", Header: event.NewHeader(make(map[string][]string)), Data: make([]byte, 100)}
	}
	counted := func(when string, copies uint64) {
		t.Helper()
		if c := l.Counts(); c.Copies != copies || c.Bytes != copies*uint64(two[0].size()) {
			t.Errorf("%s: %d copies of %d bytes, want %d", when, c.Copies, c.Bytes, copies)
		}
	}
	end := &event.Event{Pos: event.Position{Epoch: 1, Seq: 1}}
	b := batch{msgs: two, bytes: 2 * two[0].size(), events: 2, end: end}
	if err := l.appendCopies(t.Context(), b, true); err != nil {
		t.Fatal(err)
	}
	counted("an append with its answer", 2)

	l.outgoing.add(l.tip.Last, two)
	if _, err := l.env.Appender.Append(t.Context(), l.stream, l.tip.Last, two); err != nil {
		t.Fatal(err)
	}
	counted("an append in doubt", 2)
	if err := l.sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	counted("an append whose answer was lost", 4)

	l.outgoing.add(l.tip.Last, two)
	if err := l.sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	counted("an append that was lost", 4)

	if err := l.appendCopies(t.Context(), b, false); err != nil {
		t.Fatal(err)
	}
	if err := l.settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	counted("an open append", 6)

	// Another writer's copies are not this hub's.
	if _, err := l.env.Appender.Append(t.Context(), l.stream, l.tip.Last, two); err != nil {
		t.Fatal(err)
	}
	err := l.appendCopies(t.Context(), b, true)
	if !errors.Is(err, ErrFenced) {
		t.Fatal(err)
	}
	l.recoverFrom(t.Context(), err)
	if err := l.sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	counted("an append that was forestalled", 6)
	if c := l.Counts(); c.Dead != 0 || c.Fenced != 1 {
		t.Errorf("%+v", c)
	}
}

// answers are what storing a letter ends with, one after the other.
type answers []struct {
	added bool
	err   error
}

func (a *answers) Put(context.Context, subjects.Name, *event.Event, string, error) (bool, error) {
	next := (*a)[0]
	*a = (*a)[1:]
	return next.added, next.err
}

// A letter whose answer was lost is there when it is put again; it is counted once.
func TestLetterInDoubtIsCountedOnce(t *testing.T) {
	l := freshLane(t, &answers{{err: context.DeadlineExceeded}, {}, {}, {added: true}, {}})
	first := &event.Event{Pos: event.Position{Epoch: 1, Seq: 1}, Time: time.Now()}
	second := &event.Event{Pos: event.Position{Epoch: 1, Seq: 2}, Time: time.Now()}
	for i, step := range []struct {
		e    *event.Event
		dead uint64
	}{{first, 0}, {first, 1}, {first, 1}, {second, 2}, {second, 2}} {
		_ = l.putLetter(t.Context(), step.e, match.Decision{Kind: match.Dead, Why: contract.ReasonNotJSON})
		if n := l.Counts().Dead; n != step.dead {
			t.Errorf("after step %d, %d letters are counted, want %d", i, n, step.dead)
		}
	}
}
