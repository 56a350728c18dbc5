package replhub

import (
	"encoding/json"
	"time"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/queue"
)

// SubscriberState says whether a subscriber waits for the end of an outage. The zero
// SubscriberState means that there is none.
type SubscriberState struct {
	// Unavailable says that something which the handlers need, such as their
	// database, is away, see [Unavailable]. Meanwhile the subscriber takes no more
	// events, keeps those that it has, and tries one at a time until one gets another
	// answer. No attempt is used up.
	Unavailable bool
	// Since is when the outage began.
	Since time.Time
	// Attempts is how many attempts the outage has failed.
	Attempts int
	// Err is the error of the last such attempt; it may be a second old.
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

// show makes State report an outage. The driver's lock is held.
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

// tell logs the begin and the end of an outage, and reports it to the hubs, also in
// between.
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

// forgetOutage ends the reported outage together with the queues that it was about.
func (s *Subscriber) forgetOutage() {
	if told := s.state.Swap(nil); told != nil {
		over := *told
		over.Unavailable = false
		s.tellHub(&over)
	}
}

// tellHub reports an outage to the hubs, for describe and the metrics. A lost report
// is followed by another within a second; without reports the hub ends the outage
// after a timeout.
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
