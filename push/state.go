package push

import (
	"fmt"
	"time"
)

// State is what keeps events from the endpoint now. The zero State is none.
type State struct {
	// Ready is whether the subscriber is registered and takes events.
	Ready bool
	// Unavailable is the error of the present outage of the endpoint; nil without an
	// outage. Since is when the outage began.
	Unavailable error
	Since       time.Time
	// Wait is the rest of the wait that the endpoint requested; it counts if Waiting is
	// set.
	Waiting bool
	Wait    time.Duration
	// Gone says that the endpoint has answered 410, and PausedUntil how long the service
	// is paused therefore; zero while the hub has not taken the pause.
	Gone        bool
	PausedUntil time.Time
	// Secrets is why the secrets could not be read last; nil when they were.
	Secrets error
}

// State tells what keeps events from the endpoint.
func (p *Pusher) State() State {
	s := State{Ready: p.ready.Load(), Gone: p.gone.Load(), Secrets: p.endpoint.keys.trouble()}
	if sub := p.subscriber.Load(); sub != nil {
		if outage := sub.State(); outage.Unavailable {
			s.Unavailable, s.Since = outage.Err, outage.Since
		}
	}
	s.Wait, s.Waiting = p.gate.remaining()
	if until := p.paused.Load(); until != nil && time.Now().Before(*until) {
		s.Gone, s.PausedUntil = true, *until
	}
	return s
}

// Degraded returns the state in sentences, for people.
func (p *Pusher) Degraded() []string {
	s := p.State()
	var texts []string
	if s.Gone {
		text := ErrGone.Error() + "; the service could not be paused yet"
		if !s.PausedUntil.IsZero() {
			text = fmt.Sprintf("%s; the service is paused until %s: run 'replhub resume %s' to go on", ErrGone, s.PausedUntil.Format(time.RFC3339), p.cfg.Service)
		}
		texts = append(texts, text)
	}
	if s.Unavailable != nil {
		texts = append(texts, fmt.Sprintf("the endpoint is unavailable since %s: %v", s.Since.Format(time.RFC3339), s.Unavailable))
	}
	if s.Waiting {
		texts = append(texts, fmt.Sprintf("the endpoint asks for a wait of %s more", s.Wait.Round(time.Second)))
	}
	if s.Secrets != nil {
		texts = append(texts, fmt.Sprintf("the secrets cannot be read; the secrets that were read before stay in use: %v", s.Secrets))
	}
	return texts
}

// Endpoint is the endpoint in messages: its scheme and its host. The path and the query may
// be secrets.
func (p *Pusher) Endpoint() string { return p.endpoint.name() }
