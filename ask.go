package replhub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// The headers of the micro framework on a refusal.
const (
	headerErrorCode = "Nats-Service-Error-Code"
	headerError     = "Nats-Service-Error"
)

// ErrNoService means that the call needs Config.Service.
var ErrNoService = errors.New("config: Service is empty: say which service this is")

// Ask sends a control request about this service, such as "describe", and decodes the
// reply; docs/reference.md has the verbs with their JSON. It is for tools; the verbs that
// a service needs have methods of their own. A refusal is a *RefusedError. With
// Config.WaitForHub it repeats the request until ctx ends, otherwise for at most
// Config.Timeout.
func (c *Client) Ask(ctx context.Context, verb string, request, reply any) error {
	return c.ask(ctx, verb, request, reply)
}

// MaxPayload is the size in bytes of the largest message that the server takes.
func (c *Client) MaxPayload() int64 { return c.nc.MaxPayload() }

// ask sends a control request about the client's own service and decodes the reply. A
// refusal is a *RefusedError. With Config.WaitForHub it repeats the request until ctx
// ends, otherwise for at most Config.Timeout. Repeating is safe, because the verbs
// used here are idempotent.
func (c *Client) ask(ctx context.Context, verb string, req, reply any) error {
	if c.service.IsZero() {
		return fmt.Errorf("%s: %w", verb, ErrNoService)
	}
	return c.control(ctx, subjects.Control(verb, c.service), req, reply)
}

// waitForHub returns once a hub answers; a refusal counts as an answer.
func (c *Client) waitForHub(ctx context.Context) error {
	subject := subjects.Control(contract.VerbStatus, subjects.Name{})
	if !c.service.IsZero() {
		// A service may have no rights beyond its own subjects.
		subject = subjects.Control(contract.VerbDescribe, c.service)
	}
	err := c.control(ctx, subject, struct{}{}, nil)
	if _, ok := errors.AsType[*RefusedError](err); ok {
		return nil
	}
	return err
}

func (c *Client) control(ctx context.Context, subject string, req, reply any) error {
	if err := c.inflight.begin(); err != nil {
		return fmt.Errorf("ask %s: %w", subject, err)
	}
	defer c.inflight.end()
	body, err := json.Marshal(req)
	if err != nil {
		return fmt.Errorf("ask %s: %w", subject, err)
	}
	answer, err := c.converse(ctx, &nats.Msg{Subject: subject, Data: body})
	if err != nil {
		return fmt.Errorf("ask %s: %w", subject, err)
	}
	if reply == nil {
		return nil
	}
	if err := json.Unmarshal(answer, reply); err != nil {
		return fmt.Errorf("read the reply of %s: %w", subject, err)
	}
	return nil
}

// converse sends a request, and repeats it when the connection was lost before the
// answer. With Config.WaitForHub it repeats the request until a hub answers or ctx
// ends.
func (c *Client) converse(ctx context.Context, msg *nats.Msg) ([]byte, error) {
	doubt := false
	var last error
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		m, out := c.exchange(ctx, msg)
		doubt = doubt || out.doubt
		err := out.err
		if out.kind == answered {
			var answer []byte
			if answer, err = readReply(m); err == nil {
				return answer, nil
			}
		}
		again := out.kind == lost || c.cfg.WaitForHub && out.kind != ended && out.kind != refused && passes(err)
		if out.kind == ended && last != nil {
			err = fmt.Errorf("%w, after %w", err, last)
		}
		if !again {
			return nil, inDoubt(err, doubt && out.kind != answered)
		}
		if last == nil {
			c.log.Info("waiting for a hub", "subject", msg.Subject, "err", err)
		}
		last = err
		if out.kind == lost {
			continue // the connection is back: nothing to wait for
		}
		if end := c.rest(ctx, wait); end != nil {
			return nil, inDoubt(fmt.Errorf("%w, after %w", end, err), doubt)
		}
	}
}

func inDoubt(err error, doubt bool) error {
	if !doubt {
		return err
	}
	return fmt.Errorf("%w; %w: asking again is safe", err, ErrUnknownOutcome)
}

// passes reports whether a hub's answer, or its absence, may be temporary.
func passes(err error) bool {
	refusal, ok := errors.AsType[*RefusedError](err)
	return !ok || refusal.Code == CodeUnavailable
}

// readReply returns the refusal that an answer holds, if any.
func readReply(m *nats.Msg) ([]byte, error) {
	if isNoResponders(m) {
		return nil, ErrNoHub
	}
	if m.Header.Get(headerErrorCode) == "" {
		return m.Data, nil
	}
	var refusal contract.Refusal
	if err := json.Unmarshal(m.Data, &refusal); err != nil || refusal.Error == nil {
		// Not the hub's form: something else serves that subject.
		return nil, &RefusedError{Code: CodeInternal, Message: m.Header.Get(headerError)}
	}
	return nil, &RefusedError{Code: Code(refusal.Error.Code), Field: refusal.Error.Field, Message: refusal.Error.Message}
}

// isNoResponders reports whether the server said that the subject has no subscriber.
func isNoResponders(m *nats.Msg) bool { return len(m.Data) == 0 && m.Header.Get("Status") == "503" }
