package zkmap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/replhub/replhub/internal/tree"
)

// maxCalls bounds the calls that one session has under way.
const maxCalls = 64

var (
	errLost      = errors.New("session lost")
	errNoSession = errors.New("no session within twice the session timeout")
)

// session is one zk.Conn with one session over one connection. It never
// reconnects: when the connection is lost, it is abandoned and another session
// dialled. What the library does at a reconnect (sending credentials again,
// which can wedge it; insisting on a zxid that a wiped server never reaches;
// setting old watches, which can fail half-way) so never happens, for the
// price of reading the tree again.
type session struct {
	conn    *zk.Conn
	sockets *sockets
	ended   <-chan zk.Event // closed when the library's own goroutine ended
	changes *changes
	slots   chan struct{} // one per call under way

	once struct{ up, lost sync.Once }
	up   chan struct{} // closed when the session is there
	lost chan struct{} // closed when it is gone

	mu     sync.Mutex // guards closed, and calls against it
	closed bool
	calls  sync.WaitGroup
}

// openSession dials until there is a session, and authenticates it. A session
// that is returned must be closed, also when it comes with an error. It gives
// up after twice the session timeout: the watchdog for a server that accepts
// and never answers, and for whatever else the library waits for.
func openSession(ctx context.Context, cfg Config) (*session, error) {
	auth, err := cfg.credentials()
	if err != nil {
		return nil, err
	}
	s := &session{
		sockets: &sockets{tls: cfg.TLS, rootCAs: cfg.RootCAs},
		changes: newChanges(),
		slots:   make(chan struct{}, maxCalls),
		up:      make(chan struct{}),
		lost:    make(chan struct{}),
	}
	s.conn, s.ended, err = zk.Connect(
		cfg.Servers, cfg.SessionTimeout,
		zk.WithDialer(s.sockets.dial), zk.WithHostProvider(&hosts{}),
		zk.WithEventCallback(s.on), zk.WithMaxBufferSize(cfg.MaxReply),
		zk.WithLogger(libraryLog{cfg.Logger}), zk.WithLogInfo(false),
	)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, 2*cfg.SessionTimeout, errNoSession)
	defer cancel()
	return s, s.begin(ctx, auth)
}

// begin waits for the session and authenticates it.
func (s *session) begin(ctx context.Context, auth []byte) error {
	select {
	case <-s.up:
	case <-ctx.Done():
		if err := s.sockets.failure(); err != nil {
			return fmt.Errorf("dial: %w", err)
		}
		return fmt.Errorf("dial: %w", context.Cause(ctx))
	}
	if auth == nil {
		return nil
	}
	// Before any other call, so that none is made without it.
	_, err := call(ctx, s, func(c *zk.Conn) (struct{}, error) { return struct{}{}, c.AddAuth("digest", auth) })
	if err != nil {
		return fmt.Errorf("authenticate: %w", err)
	}
	return nil
}

// on is the library's event callback. It is called with the library's locks
// held: it never blocks and never calls the connection. (The event channel,
// its alternative, holds six events and drops the others.)
func (s *session) on(ev zk.Event) {
	switch {
	case ev.Type > 0:
		s.changes.add(ev)
	case ev.Type != zk.EventSession:
	case ev.State == zk.StateHasSession:
		s.sockets.refuse()
		s.once.up.Do(func() { close(s.up) })
	case ev.State == zk.StateDisconnected || ev.State == zk.StateExpired:
		select {
		case <-s.up:
			s.once.lost.Do(func() { close(s.lost) })
		default: // still dialling
		}
	}
}

// close ends the session, so that its ephemerals go at once if the server can
// be reached, and waits (about a second, at most three) for everything that
// the session started.
func (s *session) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	select {
	case <-s.up:
	default:
		s.sockets.close() // nobody to say goodbye to
	}
	s.conn.Close()
	s.sockets.close()
	s.calls.Wait()
	for range s.ended {
	}
}

// call makes one call of the library, which takes no context and blocks while
// disconnected, aside: call returns when the call does, when ctx ends, or when
// the session is lost, whichever is first. The call itself ends with the
// session at the latest, and close waits for it.
func call[T any](ctx context.Context, s *session, f func(*zk.Conn) (T, error)) (T, error) {
	var none T
	if err := s.enter(ctx); err != nil {
		return none, err
	}
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		defer s.leave()
		v, err := f(s.conn)
		done <- result{v, err}
	}()
	select {
	case r := <-done:
		return r.value, translate(r.err)
	case <-ctx.Done():
		return none, unavailable(context.Cause(ctx))
	case <-s.lost:
		return none, unavailable(errLost)
	}
}

func (s *session) enter(ctx context.Context) error {
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return unavailable(context.Cause(ctx))
	case <-s.lost:
		return unavailable(errLost)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		<-s.slots
		return unavailable(errLost)
	}
	s.calls.Add(1)
	return nil
}

func (s *session) leave() {
	<-s.slots
	s.calls.Done()
}

// unavailable marks err as "the store cannot be reached now".
func unavailable(err error) error { return fmt.Errorf("%w: %w", tree.ErrUnavailable, err) }

// translate gives the library's errors the words of package tree.
func translate(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, zk.ErrNoNode):
		return fmt.Errorf("%w: %w", tree.ErrNotFound, err)
	case errors.Is(err, zk.ErrBadVersion), errors.Is(err, zk.ErrNodeExists):
		return fmt.Errorf("%w: %w", tree.ErrConflict, err)
	}
	for _, gone := range []error{
		zk.ErrConnectionClosed, zk.ErrSessionExpired, zk.ErrSessionMoved, zk.ErrClosing, zk.ErrNoServer,
	} {
		if errors.Is(err, gone) {
			return unavailable(err)
		}
	}
	// A write that failed on the socket reaches the caller as it is.
	if broken := net.Error(nil); errors.As(err, &broken) || errors.Is(err, io.EOF) {
		return unavailable(err)
	}
	return err
}

// sessionWait is how the map's callers wait for a session.
type sessionWait struct {
	mu      sync.Mutex // guards below
	current *session
	changed chan struct{}
	ended   bool
}

func newSessionWait() *sessionWait { return &sessionWait{changed: make(chan struct{})} }

// set announces a session, or with nil that there is none.
func (w *sessionWait) set(s *session) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.current = s
	close(w.changed)
	w.changed = make(chan struct{})
}

// end announces that there will be none any more.
func (w *sessionWait) end() {
	w.mu.Lock()
	w.ended = true
	w.mu.Unlock()
	w.set(nil)
}

// over reports whether there will be no session any more.
func (w *sessionWait) over() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ended
}

// get returns the session, waiting for one until ctx ends.
func (w *sessionWait) get(ctx context.Context) (*session, error) {
	for {
		w.mu.Lock()
		s, changed, ended := w.current, w.changed, w.ended
		w.mu.Unlock()
		if s != nil {
			return s, nil
		}
		if ended {
			return nil, unavailable(errors.New("the map has ended"))
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, unavailable(context.Cause(ctx))
		}
	}
}

// callTimeout is the cause of a call's own bound.
func callTimeout(d time.Duration) error {
	return fmt.Errorf("no answer within %v: %w", d, context.DeadlineExceeded)
}
