package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// pubFlags are the headers that a publisher may set.
type pubFlags struct {
	key, id, origin string
	version         int64
	hasVersion      bool
	headers         []string
}

func newPub(a *app) *cobra.Command {
	var f pubFlags
	cmd := &cobra.Command{
		Use:     "pub <entity> <op> [payload|-]",
		GroupID: groupEvents,
		Short:   "Publish one event and wait until it is stored",
		Long: `Publish one event. The payload is the whole entity after the change, in any format;
"-" reads it from standard input. A delete needs no payload if --key is given.

The event's key is --key, else the payload's top-level "id". Two publishes with the
same --id within the dedupe window store one event.`,
		Example: `  replhub pub user create '{"id":"42","name":"Ada"}'
  replhub pub db.user.update '{"id":"42","name":"Ada L."}' --origin profile --version 2
  replhub pub user delete --key 42 --id 01JD3W
  replhub pub report create - --key q3 -H 'Content-Type: text/csv' <report.csv`,
		Args:              cobra.RangeArgs(1, 3),
		ValidArgsFunction: a.completed(false, knownEntities, opWords),
	}
	flags := cmd.Flags()
	flags.StringVar(&f.key, "key", "", "key of the row that changed (default: the payload's id)")
	flags.StringVar(&f.id, "id", "", "the event's id, for retries")
	flags.StringVar(&f.origin, "origin", "", "the publishing service")
	flags.Int64Var(&f.version, "version", 0, "the publisher's version of the row")
	takesAnyNumber(flags, "version")
	flags.StringArrayVarP(&f.headers, "header", "H", nil, "a further header, as 'Name: value'; repeatable")
	a.completeFlags(cmd, map[string]completer{"origin": knownServices})
	cmd.RunE = a.verb(func(ctx context.Context, args []string) error {
		f.hasVersion = flags.Changed("version")
		return a.pub(ctx, args, &f)
	})
	return cmd
}

func (a *app) pub(ctx context.Context, args []string, f *pubFlags) error {
	event, rest, err := pubTarget(args)
	if err != nil {
		return err
	}
	msg := nats.NewMsg(event.String())
	if err := f.apply(msg.Header); err != nil {
		return err
	}
	payload, err := a.payload(rest)
	if err != nil {
		return err
	}
	if err := refuseNothing(event, msg.Header, len(rest) > 0, payload); err != nil {
		return err
	}
	l, err := a.connect()
	if err != nil {
		return err
	}
	defer l.close()
	ack, body, err := l.publish(ctx, msg, payload)
	switch {
	case err != nil:
		return err
	case a.json:
		return a.printJSON(body)
	case ack.Duplicate:
		_, err = fmt.Fprintf(a.out, "%s is stored already as %s %d\n", event, ack.Stream, ack.Sequence)
	default:
		_, err = fmt.Fprintf(a.out, "%s is stored as %s %d\n", event, ack.Stream, ack.Sequence)
	}
	return err
}

// pubTarget tells "user create" and "db.user.create" apart, and returns the
// arguments after either.
func pubTarget(args []string) (subjects.Event, []string, error) {
	if strings.Contains(args[0], ".") {
		event, err := subjects.ParseEvent(args[0])
		if err != nil {
			return subjects.Event{}, nil, refuse(contract.FieldErrorf(contract.CodeInvalidName, "subject", "%v", err))
		}
		return event, args[1:], nil
	}
	if len(args) < 2 {
		return subjects.Event{}, nil, usagef("the operation is missing: state an entity and create, read, update or delete")
	}
	entity, err := subjects.ParseName(args[0])
	if err != nil {
		return subjects.Event{}, nil, refuse(contract.FieldErrorf(contract.CodeInvalidName, "entity", "%v", err))
	}
	op, err := subjects.ParseOp(args[1])
	if err != nil {
		return subjects.Event{}, nil, refuse(contract.FieldErrorf(contract.CodeInvalidValue, "op", "%v", err))
	}
	return subjects.NewEvent(entity, op), args[2:], nil
}

// refuseNothing refuses an event without content: a delete with neither key nor payload, or another
// op without a payload. given says that a payload was given, possibly an empty one.
func refuseNothing(event subjects.Event, header nats.Header, given bool, payload []byte) error {
	switch {
	case event.Op() != subjects.Delete && !given:
		return usagef("the payload is missing: state the whole entity after the change; only a delete with --key needs no payload")
	case event.Op() == subjects.Delete && len(payload) == 0 && header.Get(contract.HeaderKey) == "":
		return usagef("the key is missing: give --key, or the row as the payload")
	}
	return nil
}

func (a *app) payload(args []string) ([]byte, error) {
	switch {
	case len(args) == 0:
		return nil, nil
	case len(args) > 1:
		return nil, usagef("more than one payload")
	case args[0] != "-":
		return []byte(args[0]), nil
	}
	payload, err := io.ReadAll(a.in)
	if err != nil {
		return nil, fmt.Errorf("read the payload: %w", err)
	}
	return payload, nil
}

func (f *pubFlags) apply(header nats.Header) error {
	for _, h := range f.headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok || strings.TrimSpace(name) == "" {
			return usagef("header %q: want 'Name: value'", h)
		}
		header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	for name, value := range map[string]string{
		contract.HeaderKey: f.key, contract.HeaderMsgID: f.id, contract.HeaderOrigin: f.origin,
	} {
		if value != "" {
			header.Set(name, value)
		}
	}
	if f.hasVersion {
		header.Set(contract.HeaderVersion, strconv.FormatInt(f.version, 10))
	}
	return nil
}

// publish sends an event and waits for the ingest stream's acknowledgement,
// which it returns parsed and as it came.
func (l *connection) publish(ctx context.Context, msg *nats.Msg, payload []byte) (*jetstream.PubAck, json.RawMessage, error) {
	answer, err := l.request(ctx, msg, payload)
	if errors.Is(err, nats.ErrNoResponders) {
		return nil, nil, failf(codeNoHub, "no hub has created the stream %s on this server (%s); start one with replhub dev or replhub serve", contract.StreamIngest, l.server)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("publish %s: %w", msg.Subject, err)
	}
	var ack struct {
		jetstream.PubAck
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(answer.Data, &ack); err != nil {
		return nil, nil, fmt.Errorf("publish %s: the answer is no acknowledgement: %w", msg.Subject, err)
	}
	if ack.Error != nil {
		return nil, nil, fmt.Errorf("publish %s: %s", msg.Subject, ack.Error.Description)
	}
	if ack.Stream != contract.StreamIngest {
		return nil, nil, fmt.Errorf("publish %s: taken by %q, which is not the stream %s: the event is not replicated", msg.Subject, ack.Stream, contract.StreamIngest)
	}
	return &ack.PubAck, answer.Data, nil
}
