package replhub

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/internal/barrier"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

const (
	// maxSnapshots bounds the concurrent calls of one SnapshotFunc; further requests
	// wait.
	maxSnapshots = 4
	// snapshotPulse is the time between messages to the hub that an answer is in
	// progress.
	snapshotPulse = time.Second
	// snapshotTime bounds one call where the request says nothing.
	snapshotTime = time.Minute
	// snapshotSettle bounds the wait for requests that have arrived, at the end: functions of
	// the connection's owner may hold it up.
	snapshotSettle = time.Second
)

// SnapshotFunc yields the rows of an entity that follow a key, until no row is left
// or yield returns an error. The order must never change; the order of the primary
// key is such an order. after is the key of the last row before, empty for the first;
// that row itself may be gone. An Event needs Key and Data; Version and Header are
// those of the row's events; Op and ID are left empty. With an outbox, the version is
// the one that the outbox keeps (see package outbox).
//
// When yield returns an error, it takes no more rows, and the function must return,
// with that error or with nil. The function may also return earlier, for example
// after the LIMIT of its query: it is called again for the next rows. Only a call
// that yields nothing and returns nil ends the snapshot. After an error of its own,
// the function is called again later for the same rows.
//
// It must read the committed state at the time of the call, from the primary
// database: a row has to contain each of its changes that was published before. Calls
// run concurrently.
//
//	SELECT id, data FROM users WHERE id > $1 ORDER BY id LIMIT 1000
type SnapshotFunc func(ctx context.Context, after string, yield func(Event) error) error

// errEnough ends a SnapshotFunc.
var errEnough = errors.New("the hub requests no more rows now")

// ServeSnapshot serves the rows of an entity that this service owns to services that
// register with StartSnapshot or ask for a Backfill. When ctx ends, the contexts of
// the calls under way end too; ServeSnapshot returns nil once these calls have
// returned. It returns ErrClosed when the client is closed. Each instance of the
// owner may serve; no other service should. Config.Service is required: it is the
// rows' origin.
//
// Every user that may publish to "replhub._snapshot.<entity>" can get the rows: give
// that permission only to the hub.
func (c *Client) ServeSnapshot(ctx context.Context, entity string, rows SnapshotFunc) error {
	return c.ServeRows(ctx, entity, Rows{All: rows})
}

// Rows are the rows of an entity that this service owns.
type Rows struct {
	// All yields the rows that follow a key. Required.
	All SnapshotFunc
	// Of yields the rows of some keys. Without it, All reads all rows in order to find some:
	// for a backfill of keys, and for the rows in which a replica differs.
	Of LookupFunc
	// Count says about how many rows there are, for the progress that operators see: an
	// estimate of the database is enough. It is called at most once a minute while rows are
	// requested, one call at a time. The rows wait for it for at most a second, when its context
	// ends. Errors are logged at the debug level. Without Count, operators see no remaining time.
	Count func(ctx context.Context) (uint64, error)
}

// ServeRows serves rows as ServeSnapshot does, and looks up the rows of keys by Rows.Of.
func (c *Client) ServeRows(ctx context.Context, entity string, rows Rows) error {
	name, err := subjects.ParseName(entity)
	switch {
	case err != nil:
		return fmt.Errorf("serve a snapshot: %w", err)
	case c.service.IsZero():
		return fmt.Errorf("serve a snapshot of %s: %w", entity, ErrNoService)
	case rows.All == nil:
		return fmt.Errorf("serve a snapshot of %s: the function is missing", entity)
	}
	if err := c.serving.begin(); err != nil {
		return fmt.Errorf("serve a snapshot of %s: %w", entity, err)
	}
	defer c.serving.end()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &snapshots{client: c, entity: name.String(), rows: rows.All, lookup: rows.Of, slots: make(chan struct{}, maxSnapshots), count: rowCount{ask: rows.Count}}
	sub, err := c.nc.QueueSubscribe(contract.SubjectSnapshot+s.entity, contract.GroupSnapshot, func(m *nats.Msg) { s.accept(ctx, m) })
	if err != nil {
		return fmt.Errorf("serve a snapshot of %s: %w", entity, closedError(err))
	}
	end := error(nil)
	select {
	case <-ctx.Done():
	case <-c.closed:
		end = ErrClosed
	}
	// Requests that have already arrived are refused, so that the hub asks another
	// instance at once. Drain fails only where the connection is closed, which also
	// ends the subscription.
	_ = sub.Drain()
	cancel()
	s.close()
	// No request arrives after this has returned, and those that had arrived are refused. If
	// it fails, the server is away, and gives the requests to another instance.
	if barrier.Wait(c.nc, snapshotSettle) == nil {
		_ = c.nc.FlushTimeout(c.cfg.Timeout)
	}
	return end
}

// snapshots answers requests for one entity's rows.
type snapshots struct {
	client *Client
	entity string
	rows   SnapshotFunc
	lookup LookupFunc // nil where keys cannot be looked up
	slots  chan struct{}
	count  rowCount

	mu     sync.Mutex // guards closed, and wg against its end
	closed bool
	wg     sync.WaitGroup
}

// accept takes a request off the subscription's goroutine.
func (s *snapshots) accept(ctx context.Context, m *nats.Msg) {
	a := &answer{client: s.client, entity: s.entity, subject: m.Reply}
	err := json.Unmarshal(m.Data, &a.asked)
	if err == nil {
		err = s.client.inflight.begin()
	}
	if err != nil {
		a.refuse(err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		s.client.inflight.end()
		a.refuse(ErrClosed)
		return
	}
	s.wg.Go(func() {
		defer s.client.inflight.end()
		s.serve(ctx, a)
	})
}

// close refuses further requests and waits for the answers under way.
func (s *snapshots) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.wg.Wait()
}

// serve answers one request, and meanwhile tells the hub that the answer is in
// progress.
func (s *snapshots) serve(ctx context.Context, a *answer) {
	limit := cmp.Or(time.Duration(a.asked.Timeout), snapshotTime)
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var pulse sync.WaitGroup
	pulse.Go(func() { a.beat(ctx) })
	err := s.fill(ctx, a)
	var all uint64
	if err == nil && a.asked.Digest == nil && len(a.asked.Keys) == 0 {
		all = s.count.about(ctx, s.client.log)
	}
	cancel()
	pulse.Wait()
	if err != nil {
		s.client.log.Warn("serve rows of a snapshot", "entity", s.entity, "service", a.asked.Service, "after", a.asked.After, "err", err)
		a.refuse(err)
		return
	}
	a.end(all)
}

// fill has the function yield an answer's rows.
func (s *snapshots) fill(ctx context.Context, a *answer) (err error) {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() {
		if p := recover(); p != nil {
			s.client.log.Error("panic in a snapshot's function", "entity", s.entity, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	if a.asked.Digest != nil || len(a.asked.Keys) > 0 {
		return s.digest(ctx, a)
	}
	err = s.rows(ctx, a.asked.After, a.yield)
	switch {
	case a.failed != nil:
		return a.failed
	case a.full():
		return nil
	}
	return err
}

// answer is one answer on its way.
type answer struct {
	client  *Client
	entity  string
	subject string
	asked   contract.SnapshotRequest

	// Used only by the function's goroutine.
	rows, bytes int
	failed      error
	// read says how far rows were read, where those of some keys were asked for.
	read string
}

func (a *answer) full() bool {
	return (a.asked.Limit > 0 && a.rows >= a.asked.Limit) || (a.asked.MaxBytes > 0 && a.bytes >= a.asked.MaxBytes)
}

// yield sends a row.
func (a *answer) yield(ev Event) error {
	switch {
	case a.failed != nil:
		return a.failed
	case a.full():
		return errEnough
	}
	m, err := a.row(ev)
	if err == nil {
		err = a.client.nc.PublishMsg(m)
	}
	if err != nil {
		if out := sendFailed(err, a.client.nc.MaxPayload()); errors.Is(out.err, ErrTooLarge) {
			err = out.err
		}
		a.failed = fmt.Errorf("row %s: %w", contract.Quote(ev.Key), err)
		return a.failed
	}
	a.rows++
	a.bytes += len(ev.Data)
	if a.full() {
		return errEnough
	}
	return nil
}

// row is a row's message: that of its event, under the headers of an answer.
func (a *answer) row(ev Event) (*nats.Msg, error) {
	if ev.Entity != "" && ev.Entity != a.entity {
		return nil, invalid("Entity", "%s in a snapshot of %s", contract.Quote(ev.Entity), a.entity)
	}
	ev.ID = "row" // rows are named by the hub
	if ev.Key == "" {
		ev.Key = KeyOf(ev)
	}
	if ev.Key == "" {
		return nil, invalid("Key", "a row needs one")
	}
	header := make(nats.Header, len(ev.Header)+4)
	if err := ownHeaders(header, ev.Header); err != nil {
		return nil, err
	}
	if err := hubHeaders(header, &ev); err != nil {
		return nil, err
	}
	delete(header, contract.HeaderMsgID)
	header[contract.HeaderRow] = []string{strconv.Itoa(a.rows + 1)}
	return &nats.Msg{Subject: a.subject, Header: header, Data: ev.Data}, nil
}

// beat tells the hub, until ctx ends, that an answer is in progress.
func (a *answer) beat(ctx context.Context) {
	tick := time.NewTicker(snapshotPulse)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			a.say(contract.SnapshotWait, nil)
		}
	}
}

// end ends the answer. all is about how many rows the owner has; 0 if that is not known.
func (a *answer) end(all uint64) {
	header := nats.Header{
		contract.HeaderRow:    []string{strconv.Itoa(a.rows)},
		contract.HeaderOrigin: []string{a.client.Service()},
	}
	if a.read != "" {
		header[contract.HeaderDigest] = []string{a.read}
	}
	if all > 0 {
		header[contract.HeaderRows] = []string{strconv.FormatUint(all, 10)}
	}
	a.say(contract.SnapshotEnd, header)
}

func (a *answer) refuse(err error) {
	a.say(contract.SnapshotError, nats.Header{contract.HeaderError: []string{oneLine(err.Error(), " ", maxErrorBytes)}})
}

// say sends a message that is not a row.
func (a *answer) say(what string, header nats.Header) {
	if header == nil {
		header = make(nats.Header, 1)
	}
	header[contract.HeaderSnapshot] = []string{what}
	if err := a.client.nc.PublishMsg(&nats.Msg{Subject: a.subject, Header: header}); err != nil {
		a.client.log.Debug("answer a request for rows", "entity", a.entity, "err", err) // the hub asks again
	}
}
