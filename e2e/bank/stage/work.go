package stage

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/e2e/bank/audit"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

const (
	// lookEvery is the time between looks at what is to fall or to come back.
	lookEvery = 20 * time.Millisecond
	// workWithin bounds the time until all changes are made, settleWithin that
	// until they are everywhere.
	workWithin   = 15 * time.Minute
	settleWithin = 90 * time.Second
)

// Work lets the bank work until the changes are made, with the faults spread
// over them, and returns how many there are.
func (b *Bank) Work(ctx context.Context) int {
	b.tb.Helper()
	faults := b.cfg.Faults.shuffled(b.rand)
	deadline := time.Now().Add(workWithin)
	for next := 0; ; {
		made := b.made(ctx)
		switch {
		case next < len(faults) && made*len(faults) >= b.cfg.Changes*next+b.cfg.Changes/2:
			b.strike(faults[next])
			next++
		case made >= b.cfg.Changes:
			return made
		}
		b.revive(false)
		b.mustRun(b.posts())
		if time.Now().After(deadline) {
			b.tb.Fatalf("%d of %d changes were made in %s", made, b.cfg.Changes, workWithin)
		}
		b.world.Let(lookEvery)
	}
}

// mustRun fails the test for processes that ended by themselves.
func (b *Bank) mustRun(posts []*post) {
	b.tb.Helper()
	for _, p := range posts {
		if p.back.IsZero() && !p.running() {
			b.tb.Fatalf("%s ended by itself", p.current().name)
		}
	}
}

// Settle brings everybody back, has the publishers retire, waits until nothing
// is under way any more, and has the others retire.
func (b *Bank) Settle(ctx context.Context) {
	b.tb.Helper()
	b.revive(true)
	b.hub.AwaitReady()
	retire(b.publishers)
	rest := slices.Concat(b.relays, b.instances())
	b.world.Eventually("the outbox to be empty", settleWithin, func() error {
		b.mustRun(rest)
		if n := count(ctx, b.tb, b.source, `SELECT count(*) FROM replhub_outbox`); n > 0 {
			return fmt.Errorf("%d events wait in it", n)
		}
		return nil
	})
	for _, s := range b.services {
		b.world.Eventually(s.name+" to have handled all", settleWithin, func() error { return b.idle(s.name) })
	}
	b.mustRun(rest)
	retire(rest)
}

func retire(posts []*post) {
	for _, p := range posts {
		p.retire()
	}
	for _, p := range posts {
		p.await()
	}
}

// idle says what a service has still to do.
func (b *Bank) idle(service string) error {
	var status contract.LaneStatus
	if err := b.world.Call("replhub.describe."+service, "", &status); err != nil {
		return err
	}
	if status.State != string(replhub.StateLive) || status.Lag > 0 || status.Backlog > 0 {
		return fmt.Errorf("it is %s with a lag of %d and a backlog of %d", status.State, status.Lag, status.Backlog)
	}
	if status.DeadLetters > 0 {
		b.tb.Errorf("%s has %d dead letters", service, status.DeadLetters)
	}
	return nil
}

// Audit judges what was published and both services, and what the outbox and
// the inboxes have left.
func (b *Bank) Audit(ctx context.Context) []*audit.Verdict {
	b.tb.Helper()
	source, err := audit.ReadSource(ctx, b.source)
	if err != nil {
		b.tb.Fatal(err)
	}
	if n := count(ctx, b.tb, b.source, `SELECT count(*) FROM replhub_outbox_failed`); n > 0 {
		b.tb.Errorf("the outbox has set %d events aside", n)
	}
	verdicts := []*audit.Verdict{audit.JudgeIngest(source, b.published())}
	for _, s := range b.services {
		if n := count(ctx, b.tb, s.db, `SELECT count(*) FROM replhub_inbox`); n > b.cfg.Keys {
			b.tb.Errorf("the inbox of %s has %d rows for %d keys", s.name, n, b.cfg.Keys)
		}
		verdicts = append(verdicts, audit.Judge(source, b.Replica(ctx, s.name), b.freezes))
	}
	return verdicts
}

// Replica is what a service has by now, and how it came to that.
func (b *Bank) Replica(ctx context.Context, name string) *audit.Replica {
	b.tb.Helper()
	s := b.service(name)
	r, err := audit.ReadReplica(ctx, s.db, s.name)
	if err != nil {
		b.tb.Fatal(err)
	}
	r.Ordered = s.ordered
	r.DeletesUnseen = s.name != ledger
	r.Partition = func(key string) int { return subjects.Partition(key, b.cfg.Partitions) }
	r.Handlings = b.handlings(ctx, s)
	return r
}

// published are the events in ingest.
func (b *Bank) published() []audit.Effect {
	b.tb.Helper()
	messages := b.world.Read(contract.StreamIngest)
	all := make([]audit.Effect, len(messages))
	for i, m := range messages {
		all[i] = audit.Effect{ID: m.Header.Get(nats.MsgIdHdr), Key: m.Header.Get(contract.HeaderKey)}
	}
	return all
}
