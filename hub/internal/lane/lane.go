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

// DeadLetters stores the dead letters of events that could not be expanded. Add returns
// once the letter is durable; a letter added twice is stored once. added is false if
// the letter was already stored.
type DeadLetters interface {
	Add(ctx context.Context, service subjects.Name, e *event.Event, reason string, cause error) (added bool, err error)
}

// Env is what the lanes of one hub share.
type Env struct {
	JS          jetstream.JetStream
	Ingest      *ingest.Ingest
	Tail        *ingest.Tail
	Appender    *Appender
	DeadLetters DeadLetters
	// Hold returns the lowest sequence of a lane that must not be trimmed because a
	// dead letter of it is not stored yet, given the consumers whose floors were
	// taken. Nil holds no messages back.
	Hold Hold
	// Prove examines the acknowledged copies that Hold keeps in a full lane, and
	// returns a description of why it still keeps some; empty when it keeps none.
	// floors are the consumers' floors, by name. Nil keeps none.
	Prove func(ctx context.Context, service subjects.Name, floors map[string]uint64) (why string, err error)
	// Memory is how many bytes all lanes together may hold of events, rows and
	// appends, beside the tail's window: DefaultMemory by default.
	Memory int64
	// Recorded returns what is known from elsewhere of a service that lost its state
	// record: its queue, limit and interests, but not its position. After an error it
	// is called again. Nil means that nothing is known.
	Recorded func(ctx context.Context, service subjects.Name) (State, error)
	// Hub is the writer's id, for people.
	Hub string
	Log *slog.Logger
	// Failpoint is called at named steps, where tests kill the process. Nil has no
	// effect.
	Failpoint func(step string)
	// Traced is called before a copy with a trace is sent, or once its dead letter is
	// stored; see CopyTrace. Nil has no effect, and no cost.
	Traced func(CopyTrace) (done func(error))
	// OnHeld is called, now and again, while a lane is held for an older policy. It must
	// not block. Nil has no effect.
	OnHeld func()

	memory  *memory
	appends *semaphore.Weighted
}

// maxInFlight bounds the events whose copies are in flight at a time: eight full
// blocks, or any number of lanes with an event each. Few large appends keep the
// server's streams out of each other's way (with prototypes, eight writers did best
// at every number of lanes); small appends must not wait for each other.
const maxInFlight = 8 * 1000

// NewEnv completes an environment. The fields must not change afterwards.
func NewEnv(env Env) *Env {
	env.memory = newMemory(cmp.Or(env.Memory, DefaultMemory), env.JS.Conn().MaxPayload())
	env.appends = semaphore.NewWeighted(maxInFlight)
	if env.Failpoint == nil {
		env.Failpoint = func(string) {}
	}
	if env.OnHeld == nil {
		env.OnHeld = func() {}
	}
	if env.Hold == nil {
		env.Hold = HoldNothing
	}
	return &env
}

// Lane is one service's stream and the loop that fills it. Its methods may be called
// concurrently.
type Lane struct {
	env     *Env
	service subjects.Name
	stream  string
	log     *slog.Logger

	wake   chan struct{}
	more   chan struct{} // from the tail: there are events behind the last one
	owned  atomic.Bool
	stale  atomic.Bool
	queued atomic.Bool // for a reader of ingest
	parked atomic.Pointer[string]
	// heldFor is why the lane is held; see Held.
	heldFor atomic.Pointer[string]
	status  atomic.Pointer[Status]
	counts  counts // read by any goroutine
	// compiled are the interests in force, ready to expand events.
	compiled compiled
	// standings are where the workers stand.
	standings standings
	// purging is held while history that was found is purged, and while a rewind is
	// recorded. The lane's loop does not take it: it does one after the other.
	purging sync.Mutex

	mu      sync.Mutex // guards changes and over
	changes []*change
	over    error // why Run has returned

	driver driver
}

// New makes a lane for a service. The lane is idle before Run; Create makes its
// stream.
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

// Service is the service whose lane this is.
func (l *Lane) Service() subjects.Name { return l.service }

// Own makes this hub copy into the lane, or leave that to another hub. Ownership only
// serves efficiency: two owners refuse each other's appends and do no harm.
func (l *Lane) Own(owned bool) {
	if l.owned.Swap(owned) != owned {
		l.nudge()
	}
}

// Owned reports whether this hub copies into the lane.
func (l *Lane) Owned() bool { return l.owned.Load() }

// WaitsToRead reports whether the lane waits for its turn to read ingest. It then
// stands still without being in trouble.
func (l *Lane) WaitsToRead() bool { return l.queued.Load() }

// Park stops copying for a reason; an empty reason resumes it.
func (l *Lane) Park(reason string) {
	if l.Parked() != reason {
		l.parked.Store(&reason)
		l.nudge()
	}
}

// Recheck makes the lane read its stream again, because it was dropped or another hub
// changed it.
func (l *Lane) Recheck() {
	l.stale.Store(true)
	l.nudge()
}

// Parked returns why the lane is parked; empty when it is not.
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
