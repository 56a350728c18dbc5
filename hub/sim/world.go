package sim

import (
	"fmt"
	"time"

	"github.com/replhub/replhub/hub/internal/match"
)

// Config configures a world. The zero Config makes a small world without flaws.
type Config struct {
	// Flaw removes a mechanism: a negative control, which a run must detect.
	Flaw Flaw
	// Plain makes all runs use plain workers, and none instances.
	Plain bool
	// Trace gets a line for each step; nil for no trace.
	Trace func(line string)
}

// Flaw names a mechanism outside of the pure packages that is removed.
type Flaw string

// The flaws.
const (
	NoFlaw Flaw = ""
	// NoExpectedSequence: the server takes appends whatever last sequence they state.
	NoExpectedSequence Flaw = "no expected sequence"
	// TableNotRecord: a writer copies by the interests that were registered last, not
	// by the state record.
	TableNotRecord Flaw = "table, not record"
	// AckBeforeEffect: a worker acknowledges a copy before it stores its effect.
	AckBeforeEffect Flaw = "ack before effect"
	// TwoAppends: a writer takes an append for stored once it is sent.
	TwoAppends Flaw = "two appends in flight"
	// ListMisses: a lane whose stream has no leader is not in the list.
	ListMisses Flaw = "a list misses lanes"
	// ReaderUnproven: a reader of ingest is opened without a look at where it starts.
	ReaderUnproven Flaw = "reader not proven"
	// PendingIsProof: a consumer without pending copies, by the server's count, counts as
	// being at the end of its lane.
	PendingIsProof Flaw = "num_pending is proof"

	// LeaseForever: the lease of an instance never ends.
	LeaseForever Flaw = "lease for good"
	// GapsUnseen: an instance does not notice that deliveries were lost in between.
	GapsUnseen Flaw = "gaps unseen"
	// OthersUncounted: an instance treats all unacknowledged deliveries as its own.
	OthersUncounted Flaw = "deliveries of others uncounted"
	// FreedAtOnce: an instance reports a partition as released while handlers still work
	// on its events.
	FreedAtOnce Flaw = "partitions freed at once"
	// LetterAfterAck: an event is acknowledged before its dead letter is stored.
	LetterAfterAck Flaw = "letter after the acknowledgement"
	// AckUntold: the scheduler is not told that events are about to be acknowledged.
	AckUntold Flaw = "acknowledged unknown to the scheduler"
)

// Flaws are the flaws of hubs and plain workers, which a few seeds find. QueueFlaws are
// the flaws of instances, which hundreds of seeds find. testdata has a script for each
// flaw.
//
//nolint:gochecknoglobals // tables
var (
	Flaws      = []Flaw{NoExpectedSequence, TableNotRecord, AckBeforeEffect, TwoAppends, ListMisses, ReaderUnproven, PendingIsProof}
	QueueFlaws = []Flaw{LeaseForever, GapsUnseen, OthersUncounted, FreedAtOnce, LetterAfterAck, AckUntold}
)

// World is the servers, the hubs, the publishers and the services.
type World struct {
	servers

	hubs       []*hub
	members    []*instance
	publishers int
	random     uint64
	// skew is how wrong the clock of a starting hub is.
	skew map[string]time.Duration
	// took counts what instances took.
	took int
	// holders are the last holders of the partitions, by service.
	holders [serviceCount][partitionCount]string

	judge    *judge
	compiled map[string]*match.Interest
}

const (
	serviceCount = 2
	hubCount     = 2
)

//nolint:gochecknoglobals // a table
var entities = [...]string{"user", "tenant"}

// NewWorld makes a world at its beginning: hubs run, and no service is registered.
func NewWorld(cfg Config) *World {
	w := &World{servers: newServers(cfg), skew: make(map[string]time.Duration), compiled: make(map[string]*match.Interest)}
	w.judge = newJudge(w)
	w.registry.w = w
	for i := range hubCount {
		w.hubs = append(w.hubs, w.newHub(fmt.Sprint("h", i+1)))
	}
	return w
}

// Do takes one action.
func (w *World) Do(a Action) {
	w.Counts.Steps++
	w.trace("%s", a)
	w.now = w.now.Add(time.Millisecond)
	if a.Verb.Fault() {
		w.Counts.Faults++
	}
	switch a.Verb {
	case Serve:
		w.onCall(a.On, (*call).servable, w.serve)
	case Tell:
		w.onCall(a.On, (*call).tellable, w.tell)
	case Lose:
		w.onCall(a.On, (*call).losable, w.lose)
	case Pass:
		w.now = w.now.Add(time.Duration(a.N) * time.Second)
	case Publish:
		w.publish(a.N)
	case Retry:
		w.retry()
	case Burst:
		w.burst(a.N)
	case Instances:
		w.instances(a.N)
	case Calm:
		w.calm()
	case Pull, Crash:
		w.work(a)
	case Limit, Batches, Policies:
		w.setting(a)
	case Rollback, Recreate, Forget, Restart, Away, Back, Lag, Full, Room, Copy, Restore, Delete:
		w.onServers(a)
	case Registry, ByHand, Vanish, Wipe:
		w.registry.act(a)
	case Poison, Unpin, Unconsume, Consume:
		w.onQueue(a)
	default:
		if !w.onInstance(a) {
			w.onHub(a)
		}
	}
	w.flow()
	w.sync()
}

// setting performs one of the first actions of a run.
func (w *World) setting(a Action) {
	switch a.Verb { //nolint:exhaustive // Do takes the others
	case Limit:
		w.limit = int64(a.N)
	case Batches:
		w.fast = true
	case Policies:
		w.policies.on = w.policies.on || len(w.judge.events) == 0
	}
}

// onServers performs an action on the servers, or an action by hand on their streams.
func (w *World) onServers(a Action) {
	if a.On == registryStream {
		w.registry.act(a)
		return
	}
	switch a.Verb { //nolint:exhaustive // Do takes the others
	case Rollback:
		w.rollback(a.N)
	case Recreate:
		w.recreate()
	case Forget:
		w.forget()
		w.judge.marksLost()
	case Restart:
		if a.N > 0 {
			w.killServer()
		}
		w.restart()
	case Away:
		w.away[a.On] = true
		w.interrupt(a.On)
	case Back:
		delete(w.away, a.On)
	case Lag:
		w.lag(a.On)
	case Full:
		w.bound(a.On, 1)
	case Room:
		w.bound(a.On, 0)
	case Copy:
		w.copyLane(a.On)
	case Restore:
		w.restoreLane(a.On, a.N > 0)
	case Delete:
		w.deleteLane(a.On)
	}
}

// rollback is a disk that lost ingest's last events, seen when the server starts again.
func (w *World) rollback(lost int) {
	info := w.db.Info()
	lost = min(lost, int(info.Msgs)-1)
	if lost < 1 {
		return
	}
	last := info.Last - uint64(lost)
	w.judge.gone(func(seq uint64) bool { return seq > last })
	w.judge.rolledBack(last)
	w.db = w.db.Until(last)
	w.restart()
}

// recreate is ingest deleted by hand and created again.
func (w *World) recreate() {
	w.judge.gone(func(uint64) bool { return true })
	w.db = w.newIngest()
	w.life++
}

func (w *World) restart() {
	w.life++
	w.db.Restart(w.now)
	for _, s := range w.services {
		if l := w.lanes[s.text]; l != nil {
			l.Restart(w.now)
			w.leads[s.text] = w.now
		}
	}
	w.rosters.Restart(w.now)
	w.deadLetters.Restart(w.now)
	w.reconnect()
}
