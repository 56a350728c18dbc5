package lane

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/semaphore"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/lane/core"
	"github.com/replhub/replhub/subjects"
)

// Letters stores the dead letters of events that could not be expanded. Put
// returns once the letter is durable; a letter put twice is stored once. added is
// false where it was there.
type Letters interface {
	Put(ctx context.Context, service subjects.Name, e *event.Event, reason string, cause error) (added bool, err error)
}

// Env is what the lanes of one hub share.
type Env struct {
	JS       jetstream.JetStream
	Ingest   *ingest.Ingest
	Tail     *ingest.Tail
	Appender *Appender
	Letters  Letters
	// Hold returns the lowest sequence of a lane that must not be trimmed
	// because a dead letter of it is not stored yet, given the consumers whose
	// floors were taken. Nil holds nothing.
	Hold Hold
	// Prove looks into what Hold keeps of a full lane beyond what its workers have
	// not acknowledged, and returns in words why it still keeps something; empty when
	// it does not. floors are what the consumers have dealt with, by name. Nil keeps
	// nothing.
	Prove func(ctx context.Context, service subjects.Name, floors map[string]uint64) (why string, err error)
	// Memory is how many bytes all lanes together may hold of events, rows and
	// appends, beside the tail's window: DefaultMemory by default.
	Memory int64
	// Recorded is what else is known of a service that lost its state record: its
	// queue, limit and interests, but not where it stood. An error has it asked
	// again. Nil knows nothing.
	Recorded func(ctx context.Context, service subjects.Name) (State, error)
	// Hub is the writer's id, for people.
	Hub string
	Log *slog.Logger
	// Failpoint is called at named steps; tests kill the process there. Nil
	// does nothing.
	Failpoint func(step string)

	memory  *memory
	appends *semaphore.Weighted
}

// maxInFlight bounds the events whose copies are in flight at a time: eight
// full blocks, or any number of lanes with an event each. Few large appends keep
// the server's streams out of each other's way (with prototypes, eight writers
// did best at every number of lanes); small ones must not wait for each other.
const maxInFlight = 8 * 1000

// NewEnv completes an environment. The fields must not change afterwards.
func NewEnv(env Env) *Env {
	env.memory = newMemory(cmp.Or(env.Memory, DefaultMemory), env.JS.Conn().MaxPayload())
	env.appends = semaphore.NewWeighted(maxInFlight)
	if env.Failpoint == nil {
		env.Failpoint = func(string) {}
	}
	if env.Hold == nil {
		env.Hold = HoldNothing
	}
	return &env
}

// Lane is one service's stream and the loop that fills it.
type Lane struct {
	env     *Env
	service subjects.Name
	stream  string
	log     *slog.Logger

	wake   chan struct{}
	more   chan struct{} // of the tail: there are events behind the last one
	owned  atomic.Bool
	stale  atomic.Bool
	queued atomic.Bool // for a reader of ingest
	parked atomic.Pointer[string]
	status atomic.Pointer[Status]
	counts counts // read by any goroutine
	// compiled are the interests in force, ready to expand events.
	compiled compiled
	// standings are where the workers stand.
	standings standings

	mu      sync.Mutex // guards changes and over
	changes []*change
	over    error // why Run has returned

	driver driver
}

// New makes a lane for a service. It does nothing before Run; its stream is
// made by Create.
func New(env *Env, service subjects.Name) *Lane {
	l := &Lane{
		env:     env,
		service: service,
		stream:  subjects.LaneStream(service),
		log:     env.Log.With("service", service.String()),
		wake:    make(chan struct{}, 1),
		more:    make(chan struct{}, 1),
	}
	l.driver = driver{Lane: l, liveSource: source{g: env.Ingest, tail: env.Tail, memory: env.memory, queued: &l.queued}}
	l.driver.fillSource = l.driver.liveSource
	l.driver.core = core.New(core.Config{
		Service: service, Fast: env.Appender.kind == Fast, Compile: l.compiled.get, Expand: env.memory.expand,
	})
	l.status.Store(&Status{})
	return l
}

// Service is whose lane it is.
func (l *Lane) Service() subjects.Name { return l.service }

// Own has this hub copy into the lane, or leave that to another. Ownership is
// for efficiency: two owners only get in each other's way.
func (l *Lane) Own(owned bool) {
	if l.owned.Swap(owned) != owned {
		l.nudge()
	}
}

// Owned reports whether this hub copies into the lane.
func (l *Lane) Owned() bool { return l.owned.Load() }

// WaitsToRead reports whether the lane waits for its turn to read ingest: it stands
// still then, though nothing is wrong with it.
func (l *Lane) WaitsToRead() bool { return l.queued.Load() }

// Park stops copying for a reason, and an empty reason goes on.
func (l *Lane) Park(reason string) {
	if l.Parked() != reason {
		l.parked.Store(&reason)
		l.nudge()
	}
}

// Recheck has the lane read its stream again: it was dropped, or another hub
// changed it.
func (l *Lane) Recheck() {
	l.stale.Store(true)
	l.nudge()
}

// Parked is why the lane is parked; empty when it is not.
func (l *Lane) Parked() string {
	if reason := l.parked.Load(); reason != nil {
		return *reason
	}
	return ""
}

func (l *Lane) nudge() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Run fills the lane until ctx ends, then returns nil. It returns ErrNoLane
// when the stream is gone: dropping a lane ends it.
func (l *Lane) Run(ctx context.Context) error {
	err := l.driver.run(ctx)
	over := ErrStopped
	if err != nil {
		over = err
	}
	l.abandonChanges(over)
	return err
}
