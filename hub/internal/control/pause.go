package control

import (
	"context"
	"fmt"
	"time"

	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// Pause answers replhub.pause.
func (v *Verbs) Pause(ctx context.Context, service subjects.Name, req contract.Pause) (any, error) {
	if req.For <= 0 {
		return nil, contract.FieldErrorf(contract.CodeInvalidValue, "for", "state the duration, as in {\"for\":\"1h\"}")
	}
	// The workers' server compares it with its own clock.
	return v.pauseUntil(ctx, service, v.cfg.Ingest.Now().Add(time.Duration(req.For)))
}

// Resume answers replhub.resume.
func (v *Verbs) Resume(ctx context.Context, service subjects.Name, _ None) (any, error) {
	return v.pauseUntil(ctx, service, time.Time{})
}

// pauseUntil pauses a service's workers; the zero time resumes them.
func (v *Verbs) pauseUntil(ctx context.Context, service subjects.Name, until time.Time) (any, error) {
	workers, err := lane.Workers(ctx, v.cfg.JS, service)
	if err != nil {
		return nil, err
	}
	reply := contract.Paused{Service: service.String(), Consumers: sortedKeys(workers)}
	for _, name := range reply.Consumers {
		if err := v.pauseConsumer(ctx, service, name, until); err != nil {
			return nil, err
		}
	}
	if !until.IsZero() {
		reply.PausedUntil = &until
	}
	return reply, nil
}

// pauseConsumer pauses one consumer, and checks the server's answer: a time that the
// server's clock has passed does not pause the consumer.
func (v *Verbs) pauseConsumer(ctx context.Context, service subjects.Name, name string, until time.Time) error {
	stream := subjects.LaneStream(service)
	if until.IsZero() {
		if _, err := v.cfg.JS.ResumeConsumer(ctx, stream, name); err != nil {
			return fmt.Errorf("resume consumer %s of lane %s: %w", name, service, err)
		}
		return nil
	}
	got, err := v.cfg.JS.PauseConsumer(ctx, stream, name, until)
	if err != nil {
		return fmt.Errorf("pause consumer %s of lane %s: %w", name, service, err)
	}
	if !got.Paused {
		return contract.FieldErrorf(contract.CodeInvalidValue, "for", "the server's clock had passed %s before it paused %s: pause for longer",
			until.Format(time.RFC3339Nano), name)
	}
	return nil
}
