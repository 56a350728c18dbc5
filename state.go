package replhub

import (
	"encoding/json"
	"time"

	"github.com/replhub/replhub/internal/contract"
)

// SubscriberState is what a subscriber waits for. The zero SubscriberState waits
// for nothing but events.
type SubscriberState struct {
	// Unavailable says that something which the handlers need, such as their
	// database, is away, see [Unavailable]. Meanwhile the subscriber takes no more
	// events, keeps those that it has, and tries one at a time until one gets another
	// answer. No attempt is used up.
	Unavailable bool
	// Since is when that began.
	Since time.Time
	// Attempts is how many have met it.
	Attempts int
	// Err is what the last one was answered, up to a second ago.
	Err error
}

// State tells whether the subscriber waits. It may be called at any time, from any
// goroutine.
func (s *Subscriber) State() SubscriberState {
	if state := s.state.Load(); state != nil {
		return *state
	}
	return SubscriberState{}
}

func (o *outage) state() *SubscriberState {
	return &SubscriberState{Unavailable: true, Since: o.since, Attempts: o.attempts, Err: o.err}
}

// tell says that an outage has begun or is over, and lets the sources take again.
func (s *Subscriber) tell(d *desk, told *SubscriberState) {
	if told == nil {
		return
	}
	if told.Unavailable {
		if s.state.Load() == nil {
			return // it is over already
		}
		s.client.log.Warn("something that the handlers need is away; the subscriber takes no more until an event is handled again",
			"service", s.client.Service(), "err", told.Err)
		s.tellHub(told)
		return
	}
	s.client.log.Info("what the handlers need is back; the subscriber goes on", "service", s.client.Service(),
		"after", time.Since(told.Since).Round(time.Millisecond).String(), "attempts", told.Attempts)
	s.tellHub(told)
	asks := make(map[*source]pull)
	d.mu.Lock()
	for src := range d.sources {
		asks[src] = src.credit()
	}
	d.mu.Unlock()
	for src, ask := range asks {
		src.ask(ask)
	}
}

// forgetOutage ends what was told, with the queues that it was about.
func (s *Subscriber) forgetOutage() {
	if told := s.state.Swap(nil); told != nil {
		over := *told
		over.Unavailable = false
		s.tellHub(&over)
	}
}

// tellHub sends the hubs a word of an outage, for describe and the metrics. A word
// that is lost follows within a second, or runs out with the hub's patience.
func (s *Subscriber) tellHub(told *SubscriberState) {
	if told == nil {
		return
	}
	word := contract.Unavailable{Instance: s.cfg.Instance, Since: told.Since.UTC(), Attempts: told.Attempts, Over: !told.Unavailable}
	if told.Unavailable {
		word.Error = oneLine(told.Err.Error(), " ", contract.MaxUnavailableError)
	}
	body, err := json.Marshal(word)
	if err != nil {
		return // cannot happen: strings, a number and a time
	}
	_ = s.client.nc.Publish(contract.SubjectUnavailable+s.client.Service(), body)
}
