package replhub

import (
	"encoding/json"
	"time"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/queue"
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

// show has State tell of an outage. The driver's lock is held.
func (s *Subscriber) show(o queue.Outage) {
	if o.Phase == queue.OutageEnds {
		s.state.Store(nil)
		return
	}
	s.state.Store(stateOf(o))
}

func stateOf(o queue.Outage) *SubscriberState {
	return &SubscriberState{Unavailable: o.Phase != queue.OutageEnds, Since: o.Since, Attempts: o.Attempts, Err: o.Err}
}

// tell logs that an outage begins or ends, and tells the hubs, in between as well.
func (s *Subscriber) tell(o queue.Outage) {
	switch o.Phase {
	case queue.OutageBegins:
		if s.state.Load() == nil {
			return // it is over already
		}
		s.client.log.Warn("something that the handlers need is away; the subscriber takes no more until an event is handled again",
			"service", s.client.Service(), "err", o.Err)
	case queue.OutageEnds:
		s.client.log.Info("what the handlers need is back; the subscriber goes on", "service", s.client.Service(),
			"after", time.Since(o.Since).Round(time.Millisecond).String(), "attempts", o.Attempts)
	case queue.OutageLasts:
	}
	s.tellHub(stateOf(o))
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
