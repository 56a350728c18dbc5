package replhubtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/micro"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/internal/contract"
)

// AwaitDrained waits until all events published before are processed for a service:
// copied to it where it is due, and acknowledged by its instances. If that does not
// happen in time, it fails the test with the lane's status. It fails the test at once
// when the lane is detached or incompatible.
//
// An event that became a dead letter counts as processed; see DeadLetters.
func (h *Hub) AwaitDrained(t T, service string, waits ...Wait) {
	t.Helper()
	d := desk{hub: h, service: service}
	defer d.close()
	check := func() error {
		status, err := d.describe(t.Context())
		switch {
		case err != nil:
			return err
		case status.State == replhub.StateDetached, status.State == replhub.StateIncompatible:
			return finalError{fmt.Errorf("its lane is %s: %s", status.State, status.Reason)}
		case status.State != replhub.StateLive || status.Lag > 0 || status.Backlog > 0:
			return fmt.Errorf("its lane is %s, %d events are not copied, %d not acknowledged, %d are dead letters%s",
				status.State, status.Lag, status.Backlog, status.DeadLetters, because(status.Reason))
		}
		return nil
	}
	if err := await(t, check, waits); err != nil {
		t.Fatalf("waited for %s to be drained: %v", service, err)
	}
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return "; " + reason
}

// DeadLetters returns how many dead letters are stored for a service.
func (h *Hub) DeadLetters(t T, service string) int {
	t.Helper()
	d := desk{hub: h, service: service}
	defer d.close()
	letters := 0
	err := await(t, func() error {
		status, err := d.describe(t.Context())
		if refused, ok := errors.AsType[*replhub.RefusedError](err); ok && refused.Code == replhub.CodeNotFound {
			return finalError{err}
		}
		letters = int(status.DeadLetters)
		return err
	}, nil)
	if err != nil {
		t.Fatalf("dead letters of %s: %v", service, err)
	}
	return letters
}

// askTime bounds one control request.
const askTime = 5 * time.Second

// desk asks how a service's lane stands, over one connection. It is for one
// goroutine.
type desk struct {
	hub     *Hub
	service string
	client  *replhub.Client // nil until a server was there
	wait    time.Duration   // for the next answer
}

// The wait for an answer doubles from the first to the last: one that a server
// has lost as it stopped is asked for again soon, and a busy hub is not cut short
// for ever.
const (
	firstAnswer = 500 * time.Millisecond
	lastAnswer  = 8 * time.Second
)

func (d *desk) describe(ctx context.Context) (replhub.Status, error) {
	d.wait = min(max(firstAnswer, 2*d.wait), lastAnswer)
	ctx, cancel := context.WithTimeout(ctx, d.wait)
	defer cancel()
	if d.client == nil {
		client, err := d.hub.briefly(ctx, d.service)
		if err != nil {
			return replhub.Status{}, err
		}
		d.client = client
	}
	status, err := d.client.Describe(ctx)
	if err == nil {
		d.wait = 0
	}
	return status, err
}

func (d *desk) close() {
	if d.client != nil {
		d.client.Close()
	}
}

// Redeliver makes the server deliver a service's copies again, from an ingest
// sequence on (1 means all that its lane holds), whether they were acknowledged or
// not, and returns their number.
func (h *Hub) Redeliver(t T, service string, from uint64) int {
	t.Helper()
	reply, err := h.rewind(t.Context(), service, from)
	if err != nil {
		t.Fatalf("redeliver to %s: %v", service, err)
	}
	return int(reply.Redelivered)
}

func (h *Hub) rewind(ctx context.Context, service string, from uint64) (reply contract.Rewound, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	nc, err := h.connect("redeliver")
	if err != nil {
		return reply, err
	}
	defer nc.Close()
	request, err := json.Marshal(contract.Rewind{To: contract.Start(strconv.FormatUint(from, 10))})
	if err != nil {
		return reply, err
	}
	m, err := nc.RequestWithContext(ctx, "replhub."+contract.VerbRewind+"."+service, request)
	if err != nil {
		return reply, err
	}
	if refusal := m.Header.Get(micro.ErrorHeader); refusal != "" {
		return reply, errors.New(refusal)
	}
	return reply, json.Unmarshal(m.Data, &reply)
}
