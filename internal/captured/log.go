package captured

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/replhub/replhub/internal/contract"
)

var (
	// ErrFenced means that another process has written a record since.
	ErrFenced = errors.New("another process has taken over this capture")
	// ErrNone means that ingest has no record of the capture.
	ErrNone = errors.New("ingest has no record of this capture")
	// ErrTrimmed means that ingest no longer holds the sequences that would tell which
	// changes were stored.
	ErrTrimmed = errors.New("ingest was trimmed past the record of this capture")
)

// Log reads and writes the records of one capture.
type Log struct {
	js     jetstream.JetStream
	stream jetstream.Stream
	entity string
	// subject is that of the records.
	subject string
	// writer names this process, and service the origin of its records.
	writer, service string
	patience        time.Duration
}

// Config says whose records a Log has. JS and Entity have no default.
type Config struct {
	JS     jetstream.JetStream
	Entity string
	// Writer names this process, and Service is the origin of the records; both are for
	// people.
	Writer, Service string
	// Patience bounds the wait for each answer; 5 s by default.
	Patience time.Duration
}

// Open finds ingest.
func Open(ctx context.Context, cfg Config) (*Log, error) {
	l := &Log{
		js: cfg.JS, entity: cfg.Entity, subject: subjectOf(cfg.Entity), writer: cfg.Writer, service: cfg.Service,
		patience: cmp.Or(cfg.Patience, 5*time.Second),
	}
	ctx, cancel := l.patient(ctx)
	defer cancel()
	var err error
	if l.stream, err = cfg.JS.Stream(ctx, contract.StreamIngest); err != nil {
		return nil, fmt.Errorf("find ingest: %w", err)
	}
	return l, nil
}

func (l *Log) patient(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, l.patience)
}

// Stream is the configuration of ingest when the log was opened.
func (l *Log) Stream() jetstream.StreamConfig { return l.stream.CachedInfo().Config }

// Entity is the entity of the records.
func (l *Log) Entity() string { return l.entity }

// Subject is the subject of the records.
func (l *Log) Subject() string { return l.subject }

// Held is a record and its place.
type Held struct {
	Record Record
	Seq    uint64
}

// Read returns the newest record; ErrNone when there is none. With ErrForeign, the place
// is that of the event which is no record.
func (l *Log) Read(ctx context.Context) (Held, error) {
	ctx, cancel := l.patient(ctx)
	defer cancel()
	msg, err := l.stream.GetLastMsgForSubject(ctx, l.subject)
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return Held{}, ErrNone
	case err != nil:
		return Held{}, fmt.Errorf("read the record of the capture: %w", err)
	}
	r, err := Decode(msg.Data)
	if err == nil && msg.Header.Get(contract.HeaderKey) != l.entity {
		r, err = Record{}, ErrForeign
	}
	return Held{r, msg.Sequence}, err
}

// Write stores a record behind the one at a sequence, 0 for none, and returns its place.
// At ErrFenced another process was first. After another error it is unknown whether the
// record is stored: Write finds out, and returns that error only if it cannot.
func (l *Log) Write(ctx context.Context, r Record, behind uint64) (Held, error) {
	data, err := r.Encode()
	if err != nil {
		return Held{}, err
	}
	msg := &nats.Msg{Subject: l.subject, Data: data, Header: nats.Header{
		contract.HeaderKey:                    {l.entity},
		contract.HeaderOrigin:                 {l.service},
		contract.HeaderExpectedLastSubjectSeq: {strconv.FormatUint(behind, 10)},
	}}
	if l.service == "" {
		delete(msg.Header, contract.HeaderOrigin)
	}
	answer, err := l.request(ctx, msg)
	if err == nil {
		var seq uint64
		if seq, err = Stored(answer.Data); err == nil {
			return Held{r, seq}, nil
		}
	}
	// An answer may be lost, and a copy of this very request may have been stored before.
	now, readErr := l.Read(ctx)
	switch {
	case readErr == nil && now.Record.ID == r.ID:
		return now, nil
	case readErr == nil && now.Seq != behind:
		return Held{}, ErrFenced
	}
	return Held{}, fmt.Errorf("write the record of the capture: %w", errors.Join(err, readErr))
}

func (l *Log) request(ctx context.Context, msg *nats.Msg) (*nats.Msg, error) {
	ctx, cancel := l.patient(ctx)
	defer cancel()
	return l.js.Conn().RequestMsgWithContext(ctx, msg)
}

// NewID is the id of a record.
func NewID() string { return nuid.Next() }

// Stored reads the answer to a publish: the sequence, or ErrFenced if the record that
// the message stated is not the newest one, or the server's error.
func Stored(answer []byte) (uint64, error) {
	var ack struct {
		Stream string              `json:"stream"`
		Seq    uint64              `json:"seq"`
		Error  *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(answer, &ack); err != nil {
		return 0, fmt.Errorf("answer of ingest: %w", err)
	}
	switch {
	case ack.Error != nil && (ack.Error.ErrorCode == codeWrongLast || ack.Error.ErrorCode == codeWrongLastConstant):
		return 0, fmt.Errorf("%w (%s)", ErrFenced, ack.Error.Description)
	case ack.Error != nil:
		return 0, ack.Error
	case ack.Stream != contract.StreamIngest || ack.Seq == 0:
		return 0, fmt.Errorf("answer of ingest: %.200q", answer)
	}
	return ack.Seq, nil
}

// The server's codes for a compare-and-set that failed. The second comes on a cluster,
// where it may also mean that a message of the same subject is under way.
const (
	codeWrongLast         = 10071
	codeWrongLastConstant = 10164
)

// Claim fences every earlier writer: it writes a record, and returns it with the position
// of the last change that is stored. At an error of Read it writes nothing. From then on only the caller appends, until another
// Claim.
func (l *Log) Claim(ctx context.Context) (held Held, stored Position, err error) {
	old, err := l.Read(ctx)
	if err != nil {
		return old, Position{}, err
	}
	held, err = l.Write(ctx, old.Record.claim(old.Seq, NewID(), l.writer), old.Seq)
	if err != nil {
		return Held{}, Position{}, err
	}
	stored, err = l.last(ctx, held)
	return held, stored, err
}

// last finds the last change that is stored, behind a record that fences every other
// writer.
func (l *Log) last(ctx context.Context, held Held) (Position, error) {
	at := held.Record.Position
	for _, entity := range held.Record.Entities {
		p, err := l.lastOf(ctx, "db."+entity+".*", held.Record.From)
		if err != nil {
			return Position{}, fmt.Errorf("read the stored changes of %s: %w", entity, err)
		}
		if p.Compare(at) > 0 {
			at = p
		}
	}
	return at, l.untrimmed(ctx, held)
}

// untrimmed makes sure, after the reading, that no sequence behind From was trimmed
// before it was read.
func (l *Log) untrimmed(ctx context.Context, held Held) error {
	ctx, cancel := l.patient(ctx)
	defer cancel()
	info, err := l.stream.Info(ctx)
	if err != nil {
		return fmt.Errorf("look at ingest: %w", err)
	}
	if info.State.FirstSeq > held.Record.From+1 && info.State.FirstSeq > 1 && len(held.Record.Entities) > 0 {
		return fmt.Errorf("%w: sequence %d, first held %d", ErrTrimmed, held.Record.From, info.State.FirstSeq)
	}
	return nil
}

// lastOf finds the position of the capture's last change of an entity behind a sequence.
// As a rule the capture alone writes the entity, and the last event tells.
func (l *Log) lastOf(ctx context.Context, filter string, behind uint64) (Position, error) {
	msg, err := l.lastMessage(ctx, filter)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return Position{}, nil
	}
	if err != nil {
		return Position{}, err
	}
	if msg.Sequence <= behind {
		return Position{}, nil
	}
	at, own, err := OwnMark(l.entity, msg.Header.Get(contract.HeaderCaptured))
	if err != nil || own {
		return at, err
	}
	for seq := behind + 1; seq <= msg.Sequence; {
		next, err := l.nextMessage(ctx, seq, filter)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return at, nil
		}
		if err != nil {
			return Position{}, err
		}
		p, own, err := OwnMark(l.entity, next.Header.Get(contract.HeaderCaptured))
		if err != nil {
			return Position{}, err
		}
		if own {
			at = p // of one writer they rise, and of a later writer too
		}
		seq = next.Sequence + 1
	}
	return at, nil
}

func (l *Log) lastMessage(ctx context.Context, filter string) (*jetstream.RawStreamMsg, error) {
	ctx, cancel := l.patient(ctx)
	defer cancel()
	return l.stream.GetLastMsgForSubject(ctx, filter)
}

func (l *Log) nextMessage(ctx context.Context, from uint64, filter string) (*jetstream.RawStreamMsg, error) {
	ctx, cancel := l.patient(ctx)
	defer cancel()
	return l.stream.GetMsg(ctx, from, jetstream.WithGetMsgSubject(filter))
}
