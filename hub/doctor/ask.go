package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nats.go/micro"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/jsapi"
)

// errDenied means that the credentials do not permit a request.
var errDenied = errors.New("these credentials may not ask for it")

// asker sends requests. It learns from the server's objections which requests are not
// permitted, for which no answer would ever come.
type asker struct {
	nc      *nats.Conn
	timeout time.Duration
	prefix  string // of JetStream's requests
	clock   func() time.Time

	mu      sync.Mutex // guards the rest
	denied  map[string]bool
	waiting map[string]context.CancelCauseFunc // by subject
}

func newAsker(cfg Config) *asker {
	a := &asker{
		nc: cfg.Conn, timeout: cfg.Timeout, prefix: jsapi.Prefix(jetstream.JetStreamOptions{Domain: cfg.Domain}), clock: cfg.Clock,
		denied: map[string]bool{}, waiting: map[string]context.CancelCauseFunc{},
	}
	a.nc.SetErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { a.object(err) })
	return a
}

// object takes what the server objects to.
func (a *asker) object(err error) {
	if !errors.Is(err, nats.ErrPermissionViolation) {
		return
	}
	_, rest, ok := strings.Cut(err.Error(), `Publish to "`)
	subject, _, quoted := strings.Cut(rest, `"`)
	if !ok || !quoted {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.denied[subject] = true
	if stop := a.waiting[subject]; stop != nil {
		stop(errDenied)
	}
}

// answer is a message with the time at which it was asked for and came.
type answer struct {
	*nats.Msg

	asked, came time.Time
}

// raw sends one request and waits for one answer.
func (a *asker) raw(ctx context.Context, subject string, data []byte) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	a.mu.Lock()
	if a.denied[subject] {
		a.mu.Unlock()
		return answer{}, errDenied
	}
	a.waiting[subject] = stop
	a.mu.Unlock()
	defer func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.waiting, subject)
	}()
	asked := a.clock()
	msg, err := a.nc.RequestWithContext(ctx, subject, data)
	if cause := context.Cause(ctx); err != nil && errors.Is(cause, errDenied) {
		return answer{}, errDenied
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("no answer within %s", a.timeout)
	}
	return answer{msg, asked, a.clock()}, err
}

// request asks JetStream. Its errors are *jetstream.APIError.
func (a *asker) request(ctx context.Context, api string, req, reply any) (answer, error) {
	data := []byte(nil)
	if req != nil {
		var err error
		if data, err = json.Marshal(req); err != nil {
			return answer{}, err
		}
	}
	got, err := a.raw(ctx, a.prefix+api, data)
	if err != nil {
		return got, err
	}
	var refusal struct {
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(got.Data, &refusal); err != nil {
		return got, fmt.Errorf("read the answer of %s: %w", api, err)
	}
	if refusal.Error != nil {
		return got, refusal.Error
	}
	return got, json.Unmarshal(got.Data, reply)
}

// verb asks a hub.
func (a *asker) verb(ctx context.Context, verb string, req, reply any) (answer, error) {
	data, err := json.Marshal(req)
	if err != nil {
		return answer{}, err
	}
	got, err := a.raw(ctx, contract.MicroName+"."+verb, data)
	if err != nil {
		return got, err
	}
	if got.Header.Get(micro.ErrorCodeHeader) != "" {
		var refusal contract.Refusal
		if json.Unmarshal(got.Data, &refusal) == nil && refusal.Error != nil {
			return got, refusal.Error
		}
		return got, errors.New(got.Header.Get(micro.ErrorHeader))
	}
	return got, json.Unmarshal(got.Data, reply)
}

// all sends one request to whoever answers, and takes the answers of the next moment.
func (a *asker) all(ctx context.Context, subject string, listen time.Duration, take func(answer)) error {
	inbox := a.nc.NewInbox()
	sub, err := a.nc.SubscribeSync(inbox)
	if err != nil {
		return err
	}
	defer func() {
		_ = sub.Unsubscribe() // fails only where the connection is closed
	}()
	ctx, cancel := context.WithTimeout(ctx, listen)
	defer cancel()
	asked := a.clock()
	if err := a.nc.PublishRequest(subject, inbox, nil); err != nil {
		return err
	}
	for {
		msg, err := sub.NextMsgWithContext(ctx)
		a.mu.Lock()
		denied := a.denied[subject]
		a.mu.Unlock()
		switch {
		case denied:
			return errDenied
		case errors.Is(err, nats.ErrNoResponders), ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		}
		take(answer{msg, asked, a.clock()})
	}
}
