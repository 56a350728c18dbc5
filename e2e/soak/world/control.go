package world

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/internal/contract"
)

const (
	// askTime bounds one attempt of a request; insistTime all.
	askTime    = 5 * time.Second
	insistTime = 2 * time.Minute
	retryEvery = 50 * time.Millisecond
)

// control asks hubs and the server.
type control struct {
	nc *nats.Conn
	js jetstream.JetStream
}

// ask sends a control request once. A refusal is a *contract.Error.
func (c control) ask(ctx context.Context, verb, service string, request, reply any) error {
	data, err := json.Marshal(request)
	if err != nil {
		return err
	}
	subject := "replhub." + verb
	if service != "" {
		subject += "." + service
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	m, err := c.nc.RequestWithContext(ctx, subject, data)
	if err != nil {
		return fmt.Errorf("request %s: %w", subject, err)
	}
	if m.Header.Get("Nats-Service-Error-Code") != "" {
		var refusal contract.Refusal
		if err := json.Unmarshal(m.Data, &refusal); err != nil || refusal.Error == nil {
			return fmt.Errorf("request %s: refused with the body %q", subject, m.Data)
		}
		return refusal.Error
	}
	if err := json.Unmarshal(m.Data, reply); err != nil {
		return fmt.Errorf("request %s: decode %s: %w", subject, m.Data, err)
	}
	return nil
}

// insist asks until there is an answer or a refusal, also when ctx has ended: an
// account must know what became of a request. Clean says that the first attempt
// was answered: of others it is not known what they did.
func (c control) insist(verb, service string, request, reply any) (clean bool, err error) {
	clean = true
	deadline := time.Now().Add(insistTime)
	for {
		err = c.ask(context.Background(), verb, service, request, reply)
		refusal, refused := errors.AsType[*contract.Error](err)
		if err == nil || refused && refusal.Code != contract.CodeUnavailable && refusal.Code != contract.CodeInternal {
			return clean, err
		}
		if time.Now().After(deadline) {
			return false, err
		}
		if !errors.Is(err, nats.ErrNoResponders) {
			clean = false
		}
		pause(context.Background(), retryEvery)
	}
}

// lastSeq is a stream's last sequence, of its leader; 0 when there is no stream.
func (c control) lastSeq(stream string) (uint64, error) {
	deadline := time.Now().Add(insistTime)
	for {
		ctx, cancel := context.WithTimeout(context.Background(), askTime)
		s, err := c.js.Stream(ctx, stream)
		cancel()
		switch {
		case err == nil:
			return s.CachedInfo().State.LastSeq, nil
		case errors.Is(err, jetstream.ErrStreamNotFound):
			return 0, nil
		case time.Now().After(deadline):
			return 0, fmt.Errorf("look up stream %s: %w", stream, err)
		}
		pause(context.Background(), retryEvery)
	}
}

// refused reports whether an error is a refusal with a code.
func refused(err error, code contract.Code) bool {
	refusal, ok := errors.AsType[*contract.Error](err)
	return ok && refusal.Code == code
}

// pause waits, and reports whether ctx still holds.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
