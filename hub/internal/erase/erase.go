// Package erase removes what the hub's streams hold of one key: its events in ingest, its
// copies in lanes, its dead letters. Whatever happens meanwhile, and wherever a request
// ends, no lane loses another event, and no epoch begins; the same request again
// completes the work.
//
// The order is what makes the promise hold. An event is first recorded as erased in the
// ledger: readers that know the ledger pass over it (package retention). Then it is
// deleted. Then each lane gets a new state record. Whoever appends behind that record has
// read it, and has read the ledger after that, so no copy of an erased event follows. Only
// messages before the record are deleted: the lane's place never depends on them.
//
// Not promised: what a worker holds, what lies in the services' databases and in back-ups,
// mirrors and sources of the streams, and that a server's disk is overwritten (the server
// overwrites its own files, except the logs of replicated streams, which it compacts).
package erase

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
	"golang.org/x/sync/semaphore"

	"github.com/replhub/replhub/hub/internal/deadletter"
	"github.com/replhub/replhub/hub/internal/hubstream"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/ingest/retention"
	"github.com/replhub/replhub/hub/internal/lanes"
	"github.com/replhub/replhub/hub/internal/request"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

const (
	// pageTime bounds the work of one page, so that its reply comes well within the
	// time that clients wait.
	pageTime = 2 * time.Second
	// maxBatch bounds the events that are recorded at a time.
	maxBatch = 500
	// turnTime is how long a page waits for the one at work. A caller that waits behind
	// many would hear nothing in its time.
	turnTime = time.Second
	// maxListed bounds the messages that a page names.
	maxListed = 100
)

// Config is what an Eraser needs. Every field is required.
type Config struct {
	JS          jetstream.JetStream
	Conn        *nats.Conn
	Ingest      *ingest.Ingest
	Lanes       *lanes.Set
	DeadLetters *deadletter.Queue
	// Fence has the owner of a lane append its state record again, and returns when the
	// owner works by that record.
	Fence func(ctx context.Context, service subjects.Name) error
	// Hub is this hub's id.
	Hub string
	// Failpoint is called at named steps; tests kill the process there.
	Failpoint func(step string)
	Logger    *slog.Logger
}

// Eraser answers replhub.erase. It may be used concurrently, and does one page at a time.
type Eraser struct {
	cfg  Config
	turn *semaphore.Weighted
}

// New makes an Eraser.
func New(cfg Config) *Eraser { return &Eraser{cfg: cfg, turn: semaphore.NewWeighted(1)} }

// Erase does one page of a request.
func (e *Eraser) Erase(ctx context.Context, _ subjects.Name, req contract.Erase) (any, error) {
	about, err := parse(req)
	if err != nil {
		return nil, err
	}
	if err := e.takeTurn(ctx); err != nil {
		return nil, err
	}
	defer e.turn.Release(1)
	at, err := e.begin(ctx, req)
	if err != nil {
		return nil, err
	}
	looking, cancel := context.WithTimeout(ctx, pageTime)
	defer cancel()
	p := &page{Eraser: e, about: about, at: at, dry: req.DryRun, looking: looking, reply: contract.Erased{DryRun: req.DryRun}}
	if !p.dry {
		p.reply.ID = at.id
		if req.After == "" {
			if err := p.note(ctx, false); err != nil {
				return nil, err
			}
		}
	}
	if err := p.work(ctx); err != nil {
		return nil, e.refusal(errors.Join(err, p.keep(ctx)))
	}
	if err := p.keep(ctx); err != nil {
		return nil, err
	}
	return p.reply, nil
}

// takeTurn waits a little for the page at work, and refuses this one if that goes on.
func (e *Eraser) takeTurn(ctx context.Context) error {
	waiting, cancel := context.WithTimeout(ctx, turnTime)
	defer cancel()
	err := e.turn.Acquire(waiting, 1)
	if err != nil && ctx.Err() == nil {
		return contract.Errorf(contract.CodeBusy, "this hub is at work on another erasure: send the request again")
	}
	return err
}

// parse checks a request. Every error is a *contract.Error.
func parse(req contract.Erase) (subject, error) {
	entity, err := request.Name(req.Entity, "entity")
	if err != nil {
		return subject{}, err
	}
	if !contract.ValidKey(req.Key) {
		return subject{}, contract.FieldErrorf(contract.CodeInvalidValue, "key",
			"a key has 1 to %d bytes of UTF-8, no control characters, and no white space at its ends", contract.MaxKey)
	}
	return subject{entity: entity, key: req.Key}, nil
}

// begin returns where a page begins.
func (e *Eraser) begin(ctx context.Context, req contract.Erase) (cursor, error) {
	end, _, err := e.cfg.Ingest.End(ctx) // also brings the ledger up to date
	if err != nil {
		return cursor{}, err
	}
	if req.After == "" {
		return cursor{id: nuid.Next(), end: end.Position}, nil
	}
	at, err := parseCursor(req.After)
	if err == nil && e.cfg.Ingest.PositionOf(at.end.Seq) != at.end {
		err = contract.Errorf(contract.CodeUnavailable, "ingest was created again or rolled back meanwhile: begin again without \"after\"")
	}
	return at, err
}

// refusal translates an error for the caller.
func (e *Eraser) refusal(err error) error {
	if many, ok := errors.AsType[*retention.TooManyErasedError](err); ok {
		return contract.Errorf(contract.CodeLimit, "with this request, %d erased events would lie among the events of ingest, and the ledger has room for %d. "+
			"What is erased stays erased. Places are given up when ingest is trimmed, which waits for %s and for the slowest lane; a larger max_payload of the server makes room for up to 30000. Then send the request again",
			many.Have, many.Most, contract.EnvHistory)
	}
	if errors.Is(err, retention.ErrChanged) {
		return contract.Errorf(contract.CodeUnavailable, "ingest was created again or rolled back meanwhile: begin again without \"after\"")
	}
	return err
}

// page is one page under way.
type page struct {
	*Eraser

	about subject
	at    cursor
	dry   bool
	// looking ends when the page has used its time.
	looking context.Context //nolint:containedctx // the page's time, beside the request's
	reply   contract.Erased
	// kept is what the list of erasures already has of the reply's counts.
	kept contract.Erased
}

// work works until the page has used its time, or all is done.
func (p *page) work(ctx context.Context) error {
	for p.at.phase != finished {
		var done bool
		var err error
		switch p.at.phase {
		case events:
			p.reply.Place = contract.StreamIngest
			done, err = p.try(ctx, contract.StreamIngest, p.events)
		case letters, lettersAgain:
			p.reply.Place = contract.StreamDLQ
			done, err = p.try(ctx, contract.StreamDLQ, p.letters)
		default:
			done, err = p.lanes(ctx)
		}
		if err != nil {
			return err
		}
		if done {
			p.at = p.at.next()
		}
		if p.dry && p.at.phase == lettersAgain {
			p.at = p.at.next() // nothing has changed since they were looked at
		}
		if p.looking.Err() != nil && p.at.phase != finished {
			p.reply.Next = p.at.String()
			return nil
		}
	}
	return nil
}

// keep records the counts of a page in the list of erasures, and logs the end.
func (p *page) keep(ctx context.Context) error {
	if p.dry {
		return nil
	}
	ended := p.at.phase == finished
	if err := p.note(ctx, ended); err != nil || !ended {
		return err
	}
	noted, err := p.cfg.Ingest.Noted(ctx)
	for _, n := range noted {
		if n.ID == p.at.id {
			p.cfg.Logger.Info("erased the events of a key", "entity", n.Entity, "key_sha256", n.Key, "id", n.ID, "events", n.Events,
				"copies", n.Copies, "dead_letters", n.Letters, "records", n.Records, "begun", n.Begun)
		}
	}
	return err
}

// note records in the ledger what the page has removed since the last note.
func (p *page) note(ctx context.Context, ended bool) error {
	n := retention.Erasure{
		ID: p.at.id, Entity: p.about.entity.String(), Key: p.about.digest(), Hub: p.cfg.Hub,
		Events: p.reply.Events - p.kept.Events, Copies: p.reply.Copies - p.kept.Copies,
		Letters: p.reply.DeadLetters - p.kept.DeadLetters, Records: p.reply.Records - p.kept.Records,
	}
	if ended {
		n.Ended = time.Now() // the ledger takes the server's time
	}
	if _, err := p.cfg.Ingest.Erase(ctx, nil, &n); err != nil {
		return err
	}
	p.kept = p.reply
	return nil
}

// events removes the key's events from ingest, up to a batch.
func (p *page) events(ctx context.Context) (done bool, err error) {
	upTo := p.at.end.Seq
	if p.dry {
		upTo = 0
	}
	found, err := p.cfg.Ingest.Find(ctx, p.looking, ingest.Wanted{Entity: p.about.entity, Key: p.about.key, After: p.at.seq, UpTo: upTo, Most: maxBatch})
	if err != nil {
		return false, err
	}
	p.reply.Looked += found.Looked
	if p.dry {
		for i, m := range found.Marks {
			p.found(contract.ErasedMessage{Stream: contract.StreamIngest, Seq: m.Seq, Subject: found.Subjects[i], Bare: found.Bare[i]})
		}
	} else if len(found.Marks) > 0 {
		p.cfg.Failpoint("erase events")
		refused, err := p.cfg.Ingest.Erase(ctx, found.Marks, nil)
		if err != nil {
			return false, err
		}
		if refused > 0 {
			p.left(contract.ErasedMessage{Stream: contract.StreamIngest, Reason: hubstream.ErrKeepsMessages.Error() +
				": no lane gets these events any more, and they leave the stream when it is trimmed (REPLHUB_HISTORY)"})
		}
		p.cfg.Failpoint("erase events done")
	}
	p.reply.Events += len(found.Marks)
	for _, is := range found.Bare {
		p.bare(is)
	}
	p.at.seq = found.Seq
	return found.Done, nil
}

func (p *page) bare(is bool) {
	if is {
		p.reply.Deletes++
	}
}

func (p *page) found(m contract.ErasedMessage) {
	if len(p.reply.Found) < maxListed {
		p.reply.Found = append(p.reply.Found, m)
	}
}

func (p *page) left(m contract.ErasedMessage) {
	if slices.Contains(p.reply.Left, m) {
		return
	}
	if len(p.reply.Left) < maxListed {
		p.reply.Left = append(p.reply.Left, m)
	}
}
