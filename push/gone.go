package push

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/micro"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/pause"
	"github.com/replhub/replhub/subjects"
)

const (
	// pauseAnswer bounds one request to pause the service, and pauseAgain the time until
	// the next one.
	pauseAnswer = 5 * time.Second
	pauseAgain  = 30 * time.Second
)

// pauseService pauses the service's workers, and reports whether they are. While the hub
// does not take the request, no event is sent, and it is asked again: an endpoint that is
// gone must make no dead letters.
func (p *Pusher) pauseService(ctx context.Context) bool {
	told := false
	for {
		until, err := p.askForPause(ctx)
		if err == nil {
			p.paused.Store(&until)
			p.cfg.Logger.Warn("the endpoint answered 410 Gone; the service is paused", "endpoint", p.endpoint.name(), "service", p.cfg.Service,
				"until", until.Format(time.RFC3339), "resume", "replhub resume "+p.cfg.Service)
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		if !told {
			told = true
			p.cfg.Logger.Error("the endpoint answered 410 Gone, and the service cannot be paused; no request is made, and the hub is asked again",
				"endpoint", p.endpoint.name(), "service", p.cfg.Service, "err", err)
		}
		if pause.For(ctx, pauseAgain) != nil {
			return false
		}
	}
}

// askForPause sends the hub's verb.
func (p *Pusher) askForPause(ctx context.Context) (until time.Time, err error) {
	request, err := json.Marshal(contract.Pause{For: contract.Duration(p.cfg.PauseFor)})
	if err != nil {
		return until, err
	}
	ctx, cancel := context.WithTimeout(ctx, pauseAnswer)
	defer cancel()
	m, err := p.cfg.Conn.RequestWithContext(ctx, subjects.Control(contract.VerbPause, p.service), request)
	if err != nil {
		return until, fmt.Errorf("pause %s: %w; the service needs the permission to publish replhub.pause.%s", p.service, err, p.service)
	}
	if refusal := m.Header.Get(micro.ErrorHeader); refusal != "" {
		return until, fmt.Errorf("pause %s: %s", p.service, refusal)
	}
	var paused contract.Paused
	if err := json.Unmarshal(m.Data, &paused); err != nil {
		return until, fmt.Errorf("pause %s: read the answer: %w", p.service, err)
	}
	if paused.PausedUntil == nil {
		return until, errors.New("pause: the answer does not say until when")
	}
	return *paused.PausedUntil, nil
}
