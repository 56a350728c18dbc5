package replhub

import (
	"encoding/json"
	"sync"
	"time"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/queue"
)

// SubscriberState says whether a subscriber waits for the end of an outage. The zero
// SubscriberState means that there is none.
type SubscriberState struct {
	// Unavailable says that something which the handlers need, such as their database, is
	// unavailable, see [Unavailable]. Meanwhile the subscriber takes no more events, keeps
	// those that it has, and tries one at a time until one gets another answer. No attempt
	// is used up.
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

// Waiting counts a subscriber's events that wait for another row. The zero Waiting
// means that none does.
type Waiting struct {
	// ForRow counts events that wait for a row: a foreign key names a row that has not
	// come, or a row that is to be deleted is still named by one.
	ForRow int
	// ForUnique counts events that wait until another row gives up a value that must be
	// unique.
	ForUnique int
	// Since is when the longest wait began.
	Since time.Time
}

// Waiting tells how many of the events that the subscriber has taken wait for another
// row, see database.Waits. They use up no attempts, up to SubscriberConfig.MaxWait.
// The events behind them in their keys wait too and do not count. Waiting may be
// called at any time, from any goroutine; it takes time that grows with the number of
// events taken.
func (s *Subscriber) Waiting() Waiting {
	d := s.serves.Load()
	if d == nil {
		return Waiting{}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	w := d.core.Waiting()
	return Waiting{ForRow: w.Row, ForUnique: w.Unique, Since: w.Since}
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
	told := stateOf(o)
	switch o.Phase {
	case queue.OutageBegins:
		s.outages.begin(s, told)
	case queue.OutageEnds:
		s.outages.end(s, told, false)
	case queue.OutageLasts:
	}
	s.tellHub(told)
}

// forgetOutage ends the reported outage together with the queues that it was about.
func (s *Subscriber) forgetOutage() {
	told := s.state.Swap(nil)
	if told == nil {
		return
	}
	over := *told
	over.Unavailable = false
	s.outages.end(s, &over, true)
	s.tellHub(&over)
}

// outageLog logs each outage once at each end. Outputs are performed without the
// driver's lock, so an outage's end may be told before its begin. The zero outageLog
// works.
type outageLog struct {
	mu           sync.Mutex // guards what follows
	begun, ended time.Time  // Since of the last outage whose begin, or end, is logged
}

func (l *outageLog) begin(s *Subscriber, told *SubscriberState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.logBegin(s, told)
}

func (l *outageLog) logBegin(s *Subscriber, told *SubscriberState) {
	if !told.Since.After(l.begun) {
		return
	}
	l.begun = told.Since
	s.client.log.Warn("outage: something that the handlers need is unavailable; the subscriber tries one event at a time until one succeeds",
		"service", s.client.Service(), "err", told.Err)
}

// end logs the begin too where that is still to come. left says that the subscriber
// leaves its work queues while the outage lasts.
func (l *outageLog) end(s *Subscriber, told *SubscriberState, left bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.logBegin(s, told)
	if !told.Since.After(l.ended) {
		return
	}
	l.ended = told.Since
	after := time.Since(told.Since).Round(time.Millisecond).String()
	if left {
		s.client.log.Info("the subscriber leaves its work queues during an outage",
			"service", s.client.Service(), "after", after, "attempts", told.Attempts)
		return
	}
	s.client.log.Info("the outage is over; the subscriber continues",
		"service", s.client.Service(), "after", after, "attempts", told.Attempts)
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
