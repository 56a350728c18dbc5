// Package control is the NATS micro service through which services and operators send
// requests to the hubs. Any hub answers a request, or forwards it to the hub that owns
// the lane. The package also implements the verbs that concern a lane's work: pause,
// rewind, backfill, redrive, join and letter.
package control

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"golang.org/x/sync/semaphore"

	"github.com/replhub/replhub/hub/internal/hubstream"
	"github.com/replhub/replhub/hub/internal/ingest/retention"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/hub/internal/lanes"
	"github.com/replhub/replhub/hub/internal/ownership"
	"github.com/replhub/replhub/hub/internal/reply"
	"github.com/replhub/replhub/hub/internal/request"
	"github.com/replhub/replhub/internal/barrier"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

const (
	// maxRequests bounds the control requests under way in one hub; one more is
	// refused, so that a flood costs no memory.
	maxRequests = 128
	// settleTime bounds the wait for the server, and for requests that have arrived, when
	// the hub stops.
	settleTime = 2 * time.Second
	// requestTime bounds one request.
	requestTime = ownership.FinishTime - 5*time.Second
	// forwardTime is how long a hub waits for the owner of a lane before it does the
	// work itself, for a verb without a time of its own.
	forwardTime = 3 * time.Second
)

// Verb is one control verb. It answers with a reply for JSON, or an error of which a
// *contract.Error reaches the caller as it is.
type Verb struct {
	// Service says that the subject names a service.
	Service bool
	// Entity says that the subject names an entity.
	Entity bool
	// Owner says that the hub which owns the lane should perform the verb: another
	// hub would have to compete with the owner's appends.
	Owner bool
	// Patience is how long another hub waits for the owner before it performs the verb
	// itself; 3 s by default.
	Patience time.Duration
	// Internal says that only hubs send this verb, to each other.
	Internal bool
	Do       func(ctx context.Context, service subjects.Name, data []byte) (any, error)
}

// None is the request of a verb that takes nothing.
type None struct{}

// Handle decodes a verb's request strictly.
func Handle[Req any](do func(ctx context.Context, service subjects.Name, req Req) (any, error)) func(context.Context, subjects.Name, []byte) (any, error) {
	return func(ctx context.Context, service subjects.Name, data []byte) (any, error) {
		var req Req
		if err := contract.Decode(data, &req); err != nil {
			return nil, err
		}
		return do(ctx, service, req)
	}
}

// Config is what a Server needs. Every field is required.
type Config struct {
	Conn  *nats.Conn
	Hubs  *ownership.Hubs
	Verbs map[string]Verb
	// Version is what the hub is told to be.
	Version string
	// StartTimeout bounds the wait until the server knows that the hub listens.
	StartTimeout time.Duration
	// Disk describes the trouble with the server's disk; empty without trouble.
	Disk   func() string
	Logger *slog.Logger
}

// Server is the control service of one hub. Serve is called once.
type Server struct {
	cfg   Config
	slots *semaphore.Weighted

	mu      sync.Mutex // guards stopped, and keeps requests from beginning once it is
	stopped bool
	wg      sync.WaitGroup
}

// NewServer makes a Server.
func NewServer(cfg Config) *Server {
	return &Server{cfg: cfg, slots: semaphore.NewWeighted(maxRequests)}
}

// Serve answers control requests until ctx ends, and then those that are under way. It
// closes ready when requests are answered.
func (c *Server) Serve(ctx context.Context, ready chan<- struct{}) error {
	svc, err := micro.AddService(c.cfg.Conn, micro.Config{
		Name:        contract.MicroName,
		Version:     "1.0.0",
		Description: "replicates entity changes between services",
		Metadata:    map[string]string{"hub": c.cfg.Hubs.ID(), "version": c.cfg.Version},
		QueueGroup:  contract.MicroName,
	})
	if err != nil {
		return fmt.Errorf("serve control requests: %w", err)
	}
	for name, v := range c.cfg.Verbs {
		if v.Internal {
			continue
		}
		subject := contract.MicroName + "." + name
		if v.Service || v.Entity {
			subject += ".*"
		}
		err := svc.AddEndpoint(name, micro.HandlerFunc(func(req micro.Request) { c.accept(ctx, name, v, req) }),
			micro.WithEndpointSubject(subject))
		if err != nil {
			return fmt.Errorf("serve control verb %s: %w", name, err)
		}
	}
	sub, err := c.cfg.Conn.Subscribe(c.cfg.Hubs.Subject(), func(m *nats.Msg) { c.acceptForwarded(ctx, m) })
	if err != nil {
		return fmt.Errorf("serve forwarded requests: %w", err)
	}
	if err := c.cfg.Conn.FlushTimeout(c.cfg.StartTimeout); err != nil && ctx.Err() == nil {
		return fmt.Errorf("serve control requests: %w", err)
	}
	close(ready)
	<-ctx.Done()
	// They fail only where the connection is closed, which also ends the
	// subscriptions.
	_ = sub.Drain()
	_ = svc.Stop()
	// A request that the server gives to a hub which closes its connection is never answered.
	// If this fails, the server is away and gives its requests to nobody.
	_ = barrier.Wait(c.cfg.Conn, settleTime)
	c.mu.Lock()
	c.stopped = true
	c.mu.Unlock()
	c.wg.Wait()
	return nil
}

// accept takes a request off the subscription's goroutine.
func (c *Server) accept(ctx context.Context, name string, v Verb, req micro.Request) {
	if !Answerable(req.Reply()) {
		return
	}
	answer := func(body any, err error) { c.answer(req.Reply(), body, err) }
	service, err := serviceOf(v, req.Subject())
	if err != nil {
		answer(nil, err)
		return
	}
	c.start(ctx, func(ctx context.Context) { answer(c.perform(ctx, name, v, service, req.Data())) }, answer)
}

// perform has the lane's owner do a verb, or does it.
func (c *Server) perform(ctx context.Context, name string, v Verb, service subjects.Name, data []byte) (any, error) {
	body, err, done := c.forward(ctx, name, v, service, data)
	if !done {
		body, err = v.Do(ctx, service, data)
	}
	return body, err
}

// start runs work if there is a slot for it, and refuses otherwise.
func (c *Server) start(ctx context.Context, work func(context.Context), refuse func(any, error)) {
	err := c.begin(func() {
		// A request that has begun is finished at a shutdown.
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestTime)
		defer cancel()
		tied, untie := tie(bounded, ctx, c.cfg.Conn)
		defer untie()
		work(tied)
	})
	if err != nil {
		refuse(nil, err)
	}
}

func (c *Server) begin(work func()) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return lanes.ErrStopping
	}
	if !c.slots.TryAcquire(1) {
		return contract.Errorf(contract.CodeLimit, "the hub is busy with %d requests; try again", maxRequests)
	}
	c.wg.Go(func() {
		defer c.slots.Release(1)
		work()
	})
	return nil
}

// tie ends a context when the hub stops after the connection was lost: requests sent
// before the loss may never be answered, and a shutdown should not wait for them.
func tie(ctx, stopping context.Context, nc *nats.Conn) (_ context.Context, untie func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	lost := nc.StatusChanged(nats.DISCONNECTED, nats.RECONNECTING, nats.CLOSED)
	away := !nc.IsConnected()
	go func() {
		if !away {
			if _, told := <-lost; !told {
				return
			}
		}
		select {
		case <-stopping.Done():
			cancel(nats.ErrDisconnected)
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		nc.RemoveStatusListener(lost)
		cancel(nil)
	}
}

func serviceOf(v Verb, subject string) (subjects.Name, error) {
	what := "service"
	switch {
	case v.Entity:
		what = "entity"
	case !v.Service:
		return subjects.Name{}, nil
	}
	return request.Name(subject[strings.LastIndexByte(subject, '.')+1:], what)
}

// forward hands a request to the hub that owns the lane. done is false when
// this hub has to do it: it owns the lane itself, or the owner does not answer.
func (c *Server) forward(ctx context.Context, name string, v Verb, service subjects.Name, data []byte) (body any, err error, done bool) {
	owner := c.cfg.Hubs.Owner(service)
	if !v.Owner || owner == c.cfg.Hubs.ID() {
		return nil, nil, false
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(v.Patience, forwardTime))
	defer cancel()
	m, err := c.cfg.Hubs.Ask(ctx, owner, name, service, data)
	if err != nil {
		return nil, nil, false
	}
	var refusal contract.Refusal
	if m.Header.Get(micro.ErrorCodeHeader) != "" && json.Unmarshal(m.Data, &refusal) == nil && refusal.Error != nil {
		return nil, refusal.Error, true
	}
	return json.RawMessage(m.Data), nil, true
}

// acceptForwarded performs a request that another hub has forwarded.
func (c *Server) acceptForwarded(ctx context.Context, m *nats.Msg) {
	name, last := c.cfg.Hubs.Asked(m.Subject)
	if !Answerable(m.Reply) {
		return
	}
	answer := func(body any, err error) { c.answer(m.Reply, body, err) }
	if name == ownership.VerbLend {
		answer(c.cfg.Hubs.Hear(m.Data)) // at once, because a hub that does not answer counts as gone
		return
	}
	v, ok := c.cfg.Verbs[name]
	service, err := request.Name(last, "service")
	if !ok || err != nil {
		answer(nil, contract.Errorf(contract.CodeInvalidValue, "no such forwarded request"))
		return
	}
	c.start(ctx, func(ctx context.Context) { answer(v.Do(ctx, service, m.Data)) }, answer)
}

// answer answers a request: with JSON, or with the micro framework's error
// headers and a refusal. The framework's own ways to answer are for handlers that
// answer before they return.
func (c *Server) answer(to string, body any, err error) {
	data, refused := c.encode(body, err)
	out := &nats.Msg{Subject: to, Data: data}
	if refused != nil {
		out.Header = nats.Header{
			micro.ErrorHeader:     []string{oneLine(refused.Message)},
			micro.ErrorCodeHeader: []string{string(refused.Code)},
		}
	}
	if err := c.cfg.Conn.PublishMsg(out); err != nil {
		c.cfg.Logger.Warn("answer a control request", "err", err)
	}
}

// encode returns the body of an answer, and the refusal when it is one.
func (c *Server) encode(body any, err error) (data []byte, refused *contract.Error) {
	if err == nil {
		if data, err = reply.Marshal(body); err == nil {
			err = reply.Fits(data, c.cfg.Conn.MaxPayload())
		}
		if err == nil {
			return data, nil
		}
	}
	refused = reply.Short(c.refusalOf(err), c.cfg.Conn.MaxPayload())
	if data, err = reply.Marshal(contract.Refusal{Error: refused}); err != nil {
		data = []byte(`{"error":{"code":"internal","message":"the refusal could not be encoded"}}`)
	}
	return data, refused
}

// refusalOf turns an error of the hub into a refusal for the caller.
func (c *Server) refusalOf(err error) *contract.Error {
	if refusal, ok := errors.AsType[*contract.Error](reply.Limited(err)); ok {
		return refusal
	}
	if foreign, ok := errors.AsType[*hubstream.ForeignError](err); ok {
		return contract.Errorf(contract.CodeConflict, "%v", foreign)
	}
	switch {
	case errors.Is(err, lane.ErrNoLane):
		return contract.Errorf(contract.CodeNotFound, "no such service; `replhub ls` lists them")
	case errors.Is(err, lane.ErrNewer):
		return contract.Errorf(contract.CodeConflict, "the lane was written by a newer replhub; upgrade this hub")
	case errors.Is(err, retention.ErrNewer):
		return contract.Errorf(contract.CodeConflict, "%v", err)
	case errors.Is(err, lane.ErrStopped):
		return contract.Errorf(contract.CodeUnavailable, "the hub is stopping; send the request again")
	case errors.Is(err, hubstream.ErrDisk):
		return contract.Errorf(contract.CodeUnavailable, "%v", err)
	case hubstream.Unavailable(err):
		return contract.Errorf(contract.CodeUnavailable, "JetStream cannot do this now: %v; send the request again", err)
	case errors.Is(err, context.DeadlineExceeded) && c.cfg.Disk() != "":
		return contract.Errorf(contract.CodeUnavailable, "not done in time: %s", c.cfg.Disk())
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout), errors.Is(err, nats.ErrNoResponders),
		errors.Is(err, context.Canceled), errors.Is(err, nats.ErrDisconnected): // canceled: the connection was lost
		return contract.Errorf(contract.CodeUnavailable, "the request was not completed in time, and its outcome is unknown; send the request again: %v", err)
	}
	c.cfg.Logger.Error("control request", "err", err)
	return contract.Errorf(contract.CodeInternal, "%v", err)
}

// oneLine makes a text fit for a header.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
