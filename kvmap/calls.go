package kvmap

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/internal/tree"
)

// maxTries bounds how often one write starts over because the record was created or
// deleted meanwhile.
const maxTries = 10

// On a cluster a new bucket has no leader at first, and one that loses its leader
// has none until another is elected: a write is sent again every leaderPause, and
// leaderTries times at most.
const (
	leaderPause = 100 * time.Millisecond
	leaderTries = 20
)

// Get reads a record as it is now, from the stream's leader. It returns
// tree.ErrNotFound, tree.ErrUnavailable, or ErrPath for a path that is no
// record's. Safe for concurrent use, as are Put and Delete.
func (m *Map) Get(ctx context.Context, path string) (tree.Entry, error) {
	if err := m.layout.CheckPath(path); err != nil {
		return tree.Entry{}, fmt.Errorf("get: %w", err)
	}
	var e tree.Entry
	err := m.bounded(ctx, func(ctx context.Context) error {
		msg, err := m.last(ctx, path)
		if err != nil {
			return err
		}
		if removed(msg.Header) {
			return tree.ErrNotFound
		}
		e = tree.Entry{Value: msg.Data, Version: tree.Version(msg.Sequence)}
		return nil
	})
	if err != nil {
		return tree.Entry{}, fmt.Errorf("get %q: %w", path, err)
	}
	return e, nil
}

// Put writes a record if it is at version expect (or tree.Any, tree.Absent)
// and returns its new version. It returns tree.ErrConflict, ErrPath, ErrValue,
// or tree.ErrUnavailable: then the outcome is unknown.
func (m *Map) Put(ctx context.Context, path string, value []byte, expect tree.Version) (tree.Version, error) {
	if err := m.layout.CheckWrite(path, value); err != nil {
		return 0, fmt.Errorf("put: %w", err)
	}
	var v tree.Version
	err := m.bounded(ctx, func(ctx context.Context) (err error) {
		v, err = m.put(ctx, path, value, expect)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("put %q: %w", path, err)
	}
	return v, nil
}

// Delete removes a record if it is at version expect, or tree.Any. It returns
// tree.ErrNotFound, tree.ErrConflict, ErrPath, or tree.ErrUnavailable: then
// the outcome is unknown.
func (m *Map) Delete(ctx context.Context, path string, expect tree.Version) error {
	if err := m.layout.CheckPath(path); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	err := m.bounded(ctx, func(ctx context.Context) error { return m.delete(ctx, path, expect) })
	if err != nil {
		return fmt.Errorf("delete %q: %w", path, err)
	}
	return nil
}

// bounded does f once there is a connection, within the map's own bound, and
// says that the store is unavailable when time ran out.
func (m *Map) bounded(ctx context.Context, f func(context.Context) error) error {
	select {
	case <-m.ended:
		return unavailable(errors.New("the map has ended"))
	default:
	}
	ctx, cancel := context.WithTimeout(ctx, m.cfg.CallTimeout)
	defer cancel()
	if err := connected(ctx, m.js.Conn()); err != nil {
		return unavailable(err)
	}
	return f(ctx)
}

func (m *Map) put(ctx context.Context, path string, value []byte, expect tree.Version) (tree.Version, error) {
	msg := &nats.Msg{Subject: m.target(path), Data: value}
	switch expect {
	case tree.Any:
		seq, err := m.publish(ctx, msg)
		return tree.Version(seq), err
	case tree.Absent:
		return m.create(ctx, path, msg)
	}
	if expect <= 0 {
		return 0, tree.ErrConflict // no key is at such a version
	}
	seq, err := m.publishAt(ctx, msg, uint64(expect))
	return tree.Version(seq), err
}

// create puts a key that is absent: never there, or marked as removed.
func (m *Map) create(ctx context.Context, path string, msg *nats.Msg, opts ...jetstream.PublishOpt) (tree.Version, error) {
	for range maxTries {
		at, err := m.absentAt(ctx, path)
		if err != nil {
			return 0, err
		}
		seq, err := m.publishAt(ctx, msg, at, opts...)
		if errors.Is(err, tree.ErrConflict) {
			continue // made, or its marker expired, meanwhile
		}
		return tree.Version(seq), err
	}
	return 0, fmt.Errorf("%w: it comes and goes", tree.ErrConflict)
}

// absentAt is the sequence to expect of a key that is absent: its marker's,
// or zero.
func (m *Map) absentAt(ctx context.Context, path string) (uint64, error) {
	last, err := m.last(ctx, path)
	switch {
	case errors.Is(err, tree.ErrNotFound):
		return 0, nil
	case err != nil:
		return 0, err
	case !removed(last.Header):
		return 0, tree.ErrConflict
	}
	return last.Sequence, nil
}

func (m *Map) delete(ctx context.Context, path string, expect tree.Version) error {
	for range maxTries {
		last, err := m.last(ctx, path)
		if err != nil {
			return err
		}
		if removed(last.Header) {
			return tree.ErrNotFound
		}
		if expect != tree.Any && tree.Version(last.Sequence) != expect {
			return tree.ErrConflict
		}
		err = m.remove(ctx, path, last.Sequence)
		if expect == tree.Any && errors.Is(err, tree.ErrConflict) {
			continue
		}
		return err
	}
	return fmt.Errorf("%w: it changes all the time", tree.ErrConflict)
}

// remove marks a key as removed if its last message is at seq.
func (m *Map) remove(ctx context.Context, path string, seq uint64) error {
	msg := &nats.Msg{Subject: m.target(path), Header: nats.Header{
		headerOperation:        {operationPurge},
		jetstream.MsgRollup:    {jetstream.MsgRollupSubject},
		jetstream.MsgTTLHeader: {markerTTL.String()},
	}}
	_, err := m.publishAt(ctx, msg, seq)
	return err
}

// publishAt stores a message if its subject's last one is at seq.
func (m *Map) publishAt(ctx context.Context, msg *nats.Msg, seq uint64, opts ...jetstream.PublishOpt) (uint64, error) {
	return m.publish(ctx, msg, append(opts, jetstream.WithExpectLastSequencePerSubject(seq))...)
}

func (m *Map) publish(ctx context.Context, msg *nats.Msg, opts ...jetstream.PublishOpt) (uint64, error) {
	// A copy: options write into the header.
	sent := &nats.Msg{Subject: msg.Subject, Data: msg.Data, Header: nats.Header{}}
	maps.Copy(sent.Header, msg.Header)
	opts = append(opts, jetstream.WithRetryWait(leaderPause), jetstream.WithRetryAttempts(leaderTries))
	ack, err := m.js.PublishMsg(ctx, sent, opts...)
	if err != nil {
		return 0, translate(err)
	}
	return ack.Sequence, nil
}
