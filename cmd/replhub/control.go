package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// noRequest is the empty control request.
type noRequest struct{}

// exchange asks the hub once and prints its reply: as it came with --json, else
// by show. An empty service asks replhub.<verb>. The policy verb names an entity in
// place of a service.
func exchange[T any](ctx context.Context, a *app, verb, service string, req any, show func(io.Writer, *T) error) error {
	l, err := a.connect()
	if err != nil {
		return err
	}
	defer l.close()
	var reply T
	body, err := l.ask(ctx, verb, service, req, &reply)
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(body)
	}
	return show(a.out, &reply)
}

// ask sends a control request and decodes the reply, whose bytes it returns
// too. A refusal is a *refused.
func (l *connection) ask(ctx context.Context, verb, service string, req, reply any) (json.RawMessage, error) {
	subject, err := controlSubject(verb, service)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(req)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", subject, err)
	}
	msg, err := l.request(ctx, nats.NewMsg(subject), body)
	if errors.Is(err, nats.ErrNoResponders) {
		return nil, failf(codeNoHub, "no hub answers on the server at %s; start one with replhub dev or replhub serve", l.server)
	}
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", subject, err)
	}
	if msg.Header.Get(micro.ErrorCodeHeader) != "" {
		return nil, refusalIn(msg)
	}
	if err := json.Unmarshal(msg.Data, reply); err != nil {
		return nil, fmt.Errorf("read the reply of %s: %w", subject, err)
	}
	return msg.Data, nil
}

func controlSubject(verb, service string) (string, error) {
	if service == "" {
		return subjects.Control(verb, subjects.Name{}), nil
	}
	name, err := subjects.ParseName(service)
	if err != nil {
		field := "service"
		if verb == contract.VerbPolicy {
			field = "entity"
		}
		return "", refuse(contract.FieldErrorf(contract.CodeInvalidName, field, "%v", err))
	}
	return subjects.Control(verb, name), nil
}

// request sends a message and waits for one answer, at most the timeout.
func (l *connection) request(ctx context.Context, msg *nats.Msg, body []byte) (*nats.Msg, error) {
	waiting, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	msg.Data = body
	answer, err := l.nc.RequestMsgWithContext(waiting, msg)
	if !errors.Is(err, context.DeadlineExceeded) {
		return answer, err
	}
	if objection := l.objection(); objection != nil {
		return nil, objection
	}
	return nil, failf(codeTimeout, "no answer within %s; it may have been done all the same", l.timeout)
}

func refusalIn(msg *nats.Msg) error {
	var refusal contract.Refusal
	if err := json.Unmarshal(msg.Data, &refusal); err != nil || refusal.Error == nil {
		// Not the hub's form: something else serves that subject.
		return refuse(contract.Errorf(contract.CodeInternal, "%s", msg.Header.Get(micro.ErrorHeader)))
	}
	return &refused{reason: refusal.Error, body: msg.Data}
}
