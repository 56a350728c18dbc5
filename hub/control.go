package hub

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"golang.org/x/sync/semaphore"

	"github.com/replhub/replhub/hub/internal/hubstream"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

const (
	// maxRequests bounds the control requests under way in one hub; one more is
	// refused, so that a flood costs no memory.
	maxRequests = 128
	// requestTime bounds one of them.
	requestTime = 20 * time.Second
	// forwardTime is how long a hub waits for the owner of a lane before it
	// does the work itself.
	forwardTime = 3 * time.Second
)

// verb is one control verb. It answers with a reply for JSON, or an error of
// which a *contract.Error reaches the caller as it is.
type verb struct {
	// service says that the subject names one.
	service bool
	// owner says that the hub which owns the lane should do it: the others
	// would have to win the lane from it.
	owner bool
	// internal says that only hubs ask for it, of each other.
	internal bool
	do       func(ctx context.Context, service subjects.Name, data []byte) (any, error)
}

// verbs are all control verbs.
func (h *Hub) verbs() map[string]verb {
	return map[string]verb{
		contract.VerbRegister:   {service: true, owner: true, do: handle(h.doRegister)},
		contract.VerbUnregister: {service: true, owner: true, do: handle(h.doUnregister)},
		contract.VerbDrop:       {service: true, owner: true, do: handle(h.doDrop)},
		contract.VerbPause:      {service: true, do: handle(h.doPause)},
		contract.VerbResume:     {service: true, do: handle(h.doResume)},
		contract.VerbRewind:     {service: true, owner: true, do: handle(h.doRewind)},
		contract.VerbBackfill:   {service: true, owner: true, do: handle(h.doBackfill)},
		contract.VerbDescribe:   {service: true, owner: true, do: handle(h.doDescribe)},
		contract.VerbExplain:    {service: true, do: handle(h.doExplain)},
		contract.VerbRedrive:    {service: true, owner: true, do: handle(h.doRedrive)},
		contract.VerbJoin:       {service: true, owner: true, do: handle(h.joins.do)},
		contract.VerbLetter:     {service: true, owner: true, do: handle(h.doLetter)},
		contract.VerbServices:   {do: handle(h.doServices)},
		contract.VerbWho:        {do: handle(h.doWho)},
		contract.VerbStatus:     {do: handle(h.doStatus)},
		verbDetach:              {service: true, internal: true, do: handle(h.doDetach)},
	}
}

// none is the request of a verb that takes nothing.
type none struct{}

// handle decodes a verb's request strictly.
func handle[Req any](do func(ctx context.Context, service subjects.Name, req Req) (any, error)) func(context.Context, subjects.Name, []byte) (any, error) {
	return func(ctx context.Context, service subjects.Name, data []byte) (any, error) {
		var req Req
		if err := contract.Decode(data, &req); err != nil {
			return nil, err
		}
		return do(ctx, service, req)
	}
}

// control is the running control service.
type control struct {
	hub   *Hub
	verbs map[string]verb
	slots *semaphore.Weighted

	mu      sync.Mutex // guards stopped, and keeps requests from beginning once it is
	stopped bool
	wg      sync.WaitGroup
}

// serveControl answers control requests until ctx ends, and then those that
// are under way.
func (h *Hub) serveControl(ctx context.Context) error {
	c := &control{hub: h, verbs: h.verbs(), slots: semaphore.NewWeighted(maxRequests)}
	svc, err := micro.AddService(h.nc, micro.Config{
		Name:        contract.MicroName,
		Version:     "1.0.0",
		Description: "replicates entity changes between services",
		Metadata:    map[string]string{"hub": h.cfg.ID, "version": h.cfg.Version},
		QueueGroup:  contract.MicroName,
	})
	if err != nil {
		return fmt.Errorf("serve control requests: %w", err)
	}
	for name, v := range c.verbs {
		if v.internal {
			continue
		}
		subject := contract.MicroName + "." + name
		if v.service {
			subject += ".*"
		}
		err := svc.AddEndpoint(name, micro.HandlerFunc(func(req micro.Request) { c.accept(ctx, name, v, req) }),
			micro.WithEndpointSubject(subject))
		if err != nil {
			return fmt.Errorf("serve control verb %s: %w", name, err)
		}
	}
	sub, err := h.nc.Subscribe(forwardPrefix+h.cfg.ID+".*.*", func(m *nats.Msg) { c.acceptForwarded(ctx, m) })
	if err != nil {
		return fmt.Errorf("serve forwarded requests: %w", err)
	}
	away, err := h.nc.Subscribe(contract.SubjectUnavailable+"*", h.away.hear)
	if err != nil {
		return fmt.Errorf("hear of outages: %w", err)
	}
	if err := h.nc.FlushTimeout(h.cfg.StartTimeout); err != nil && ctx.Err() == nil {
		return fmt.Errorf("serve control requests: %w", err)
	}
	close(h.ready)
	<-ctx.Done()
	// They fail only where the connection is closed, which ends them as well.
	_ = sub.Unsubscribe()
	_ = away.Unsubscribe()
	_ = svc.Stop()
	c.mu.Lock()
	c.stopped = true
	c.mu.Unlock()
	c.wg.Wait()
	return nil
}

// accept takes a request off the subscription's goroutine.
func (c *control) accept(ctx context.Context, name string, v verb, req micro.Request) {
	if !answerable(req.Reply()) {
		return
	}
	reply := func(body any, err error) { c.answer(req.Reply(), body, err) }
	service, err := serviceOf(v, req.Subject())
	if err != nil {
		reply(nil, err)
		return
	}
	c.start(ctx, func(ctx context.Context) {
		body, err, done := c.forward(ctx, name, v, service, req.Data())
		if !done {
			body, err = v.do(ctx, service, req.Data())
		}
		reply(body, err)
	}, reply)
}

// start runs work if there is a slot for it, and refuses otherwise.
func (c *control) start(ctx context.Context, work func(context.Context), refuse func(any, error)) {
	err := c.begin(func() {
		// A request that has begun is finished at a shutdown.
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestTime)
		defer cancel()
		tied, untie := tie(bounded, ctx, c.hub.nc)
		defer untie()
		work(tied)
	})
	if err != nil {
		refuse(nil, err)
	}
}

func (c *control) begin(work func()) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return errStopping
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

// tie ends a context when the hub stops and the connection was lost meanwhile:
// what was asked over it may not be answered any more, and a shutdown should not
// wait for that.
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

func serviceOf(v verb, subject string) (subjects.Name, error) {
	if !v.service {
		return subjects.Name{}, nil
	}
	return parseName(subject[strings.LastIndexByte(subject, '.')+1:], "service")
}

// forward hands a request to the hub that owns the lane. done is false when
// this hub has to do it: it owns the lane itself, or the owner does not answer.
func (c *control) forward(ctx context.Context, name string, v verb, service subjects.Name, data []byte) (body any, err error, done bool) {
	owner := c.hub.ownerOf(service)
	if !v.owner || owner == c.hub.cfg.ID {
		return nil, nil, false
	}
	ctx, cancel := context.WithTimeout(ctx, forwardTime)
	defer cancel()
	m, err := c.hub.nc.RequestWithContext(ctx, forwardPrefix+owner+"."+name+"."+service.String(), data)
	if err != nil {
		return nil, nil, false
	}
	var refusal contract.Refusal
	if m.Header.Get(micro.ErrorCodeHeader) != "" && json.Unmarshal(m.Data, &refusal) == nil && refusal.Error != nil {
		return nil, refusal.Error, true
	}
	return json.RawMessage(m.Data), nil, true
}

// acceptForwarded does what another hub has forwarded.
func (c *control) acceptForwarded(ctx context.Context, m *nats.Msg) {
	name, last, _ := strings.Cut(strings.TrimPrefix(m.Subject, forwardPrefix+c.hub.cfg.ID+"."), ".")
	if !answerable(m.Reply) {
		return
	}
	reply := func(body any, err error) { c.answer(m.Reply, body, err) }
	if name == countVerb {
		c.start(ctx, func(ctx context.Context) { reply(c.hub.countOwn(ctx)) }, reply)
		return
	}
	v, ok := c.verbs[name]
	service, err := parseName(last, "service")
	if !ok || err != nil {
		reply(nil, contract.Errorf(contract.CodeInvalidValue, "no such forwarded request"))
		return
	}
	c.start(ctx, func(ctx context.Context) { reply(v.do(ctx, service, m.Data)) }, reply)
}

// answer answers a request: with JSON, or with the micro framework's error
// headers and a refusal. The framework's own ways to answer are for handlers that
// answer before they return.
func (c *control) answer(to string, body any, err error) {
	data, refused := c.hub.encodeReply(body, err)
	out := &nats.Msg{Subject: to, Data: data}
	if refused != nil {
		out.Header = nats.Header{
			micro.ErrorHeader:     []string{oneLine(refused.Message)},
			micro.ErrorCodeHeader: []string{string(refused.Code)},
		}
	}
	if err := c.hub.nc.PublishMsg(out); err != nil {
		c.hub.log.Warn("answer a control request", "err", err)
	}
}

// encodeReply returns the body of an answer, and the refusal when it is one.
func (h *Hub) encodeReply(body any, err error) (data []byte, refused *contract.Error) {
	if err == nil {
		if data, err = marshal(body); err == nil {
			err = fits(data, h.nc.MaxPayload())
		}
		if err == nil {
			return data, nil
		}
	}
	refused = short(h.refusalOf(err), h.nc.MaxPayload())
	if data, err = marshal(contract.Refusal{Error: refused}); err != nil {
		data = []byte(`{"error":{"code":"internal","message":"the refusal could not be encoded"}}`)
	}
	return data, refused
}

// marshal is json.Marshal without the escapes for HTML: filters are full of
// "&&" and "<", and people read the replies.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// refusalOf makes an error of the hub's fit for a caller.
func (h *Hub) refusalOf(err error) *contract.Error {
	if refusal, ok := asRefusal(limited(err)); ok {
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
	case errors.Is(err, lane.ErrStopped):
		return contract.Errorf(contract.CodeUnavailable, "the hub is stopping; send it again")
	case errors.Is(err, hubstream.ErrDisk):
		return contract.Errorf(contract.CodeUnavailable, "%v", err)
	case errors.Is(err, context.DeadlineExceeded) && h.disk() != "":
		return contract.Errorf(contract.CodeUnavailable, "not done in time: %s", h.disk())
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout), errors.Is(err, nats.ErrNoResponders),
		errors.Is(err, context.Canceled), errors.Is(err, nats.ErrDisconnected): // canceled: the connection was lost
		return contract.Errorf(contract.CodeUnavailable, "not done in time, and it may or may not have been done; send it again: %v", err)
	}
	h.log.Error("control request", "err", err)
	return contract.Errorf(contract.CodeInternal, "%v", err)
}

func asRefusal(err error) (*contract.Error, bool) { return errors.AsType[*contract.Error](err) }

// oneLine makes a text fit for a header.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
