package scrub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/hub/internal/lanes"
	"github.com/replhub/replhub/hub/internal/retry"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

const (
	// DefaultEvery is the time between two reviews of a lane to which nothing happens.
	DefaultEvery = 10 * time.Minute
	// lookEvery is the longest time until a review that is due begins.
	lookEvery = time.Second
	// reviewTime bounds the review of one stream before others have their turn.
	reviewTime = time.Minute
	// changeTime bounds the wait for a lane's loop, which may be in trouble.
	changeTime = 10 * time.Second
	// firstLook is how many copies in front of the first that is not processed are reviewed
	// at the start, since the workers may have been quicker than the hub.
	firstLook = 2_000
	// maxConfirmed bounds the ranges that are read once more, one by one.
	maxConfirmed = 32
)

// Config is what a Scrubber needs. Every field without a default is required.
type Config struct {
	JS    jetstream.JetStream
	Lanes *lanes.Set
	// Letters reports whether this hub reviews the dead letters.
	Letters func() bool
	// Now is the servers' time.
	Now func() time.Time
	// Detached is told of each lane that is detached.
	Detached func(service subjects.Name, reason string)
	// Every is the time between two reviews; DefaultEvery by default.
	Every  time.Duration
	Logger *slog.Logger
}

// Scrubber reviews the streams of a hub. Run is called once. The other methods may be
// called concurrently.
type Scrubber struct {
	cfg Config

	// letters is the review of the dead letters; only Run's goroutine uses it.
	letters course

	mu    sync.Mutex // guards the rest
	lanes map[subjects.Name]*course
	known map[string]map[string]trouble // by stream and server
}

// trouble is what a server cannot read of a stream.
type trouble struct {
	gaps []record.Gap
	text string
}

// New makes a Scrubber.
func New(cfg Config) *Scrubber {
	if cfg.Every == 0 {
		cfg.Every = DefaultEvery
	}
	return &Scrubber{cfg: cfg, lanes: make(map[subjects.Name]*course), known: make(map[string]map[string]trouble)}
}

// Texts describes what servers cannot read, sorted.
func (s *Scrubber) Texts() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for _, servers := range s.known {
		for _, t := range servers {
			all = append(all, t.text)
		}
	}
	slices.Sort(all)
	return all
}

// Stood notes where the consumers of a lane that this hub owns stand.
func (s *Scrubber) Stood(l *lane.Lane, workers map[string]*jetstream.ConsumerInfo) {
	for _, name := range lane.Consumers(l.Status().State.Queue) {
		if workers[name] == nil {
			return // its leader did not answer
		}
	}
	at := place{connection: s.cfg.JS.Conn().Stats().Reconnects, leaders: leadersOf(workers), floor: floorOf(workers)}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.lanes[l.Service()]
	if c == nil {
		c = new(course)
		s.lanes[l.Service()] = c
	}
	c.stands(at, time.Now(), s.cfg.Every)
}

// Run reviews what is due until ctx ends.
func (s *Scrubber) Run(ctx context.Context) error {
	for retry.Sleep(ctx, min(lookEvery, s.cfg.Every)) == nil {
		for _, l := range s.cfg.Lanes.All() {
			s.lane(ctx, l)
		}
		s.deadLetters(ctx)
	}
	return nil
}

// lane reviews a lane if that is due.
func (s *Scrubber) lane(ctx context.Context, l *lane.Lane) {
	service := l.Service()
	state := l.Status().State
	if !l.Owned() || l.Parked() != "" || state.Dropped || state.Detached != nil || len(state.Interests) == 0 {
		s.forget(service)
		return
	}
	s.mu.Lock()
	c := s.lanes[service]
	due := c != nil && c.due
	var task course
	if due {
		task = *c
		c.due = false
	}
	s.mu.Unlock()
	if !due {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, reviewTime)
	defer cancel()
	err := s.review(ctx, l, &task)
	if err == nil || errors.Is(err, lane.ErrNoLane) {
		return
	}
	s.cfg.Logger.Debug("review a lane; it goes on later", "service", service.String(), "behind", task.from, "err", err)
	s.mu.Lock()
	c.again(task)
	s.mu.Unlock()
}

func (s *Scrubber) forget(service subjects.Name) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.lanes, service)
	delete(s.known, subjects.LaneStream(service))
}

// review reads a lane from where a review begins, in parts, and deals with what is damaged.
// The task goes along: a review that is interrupted goes on behind its last part.
func (s *Scrubber) review(ctx context.Context, l *lane.Lane, task *course) error {
	asking, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	stream, err := s.cfg.Lanes.Stream(asking, l.Service())
	if err != nil {
		return err
	}
	now := stream.CachedInfo().State
	task.from = min(task.from, s.before(stream))
	return task.inParts(now.FirstSeq, now.LastSeq, func(from, to uint64) error {
		return s.part(ctx, l, stream, *task, from, to)
	})
}

// before is the sequence in front of what is known to be damaged: a server may have got it
// again from others. Without such, it is the highest one.
func (s *Scrubber) before(stream jetstream.Stream) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	least := uint64(math.MaxUint64)
	for _, t := range s.known[stream.CachedInfo().Config.Name] {
		for _, g := range t.gaps {
			least = min(least, g.First-1)
		}
	}
	return least
}

// part reviews the copies of a lane from one sequence to another.
func (s *Scrubber) part(ctx context.Context, l *lane.Lane, stream jetstream.Stream, task course, from, to uint64) error {
	readings, err := s.read(ctx, stream, from, to)
	if err != nil {
		return err
	}
	first := stream.CachedInfo().State.FirstSeq
	for _, one := range readings {
		// What the lane copied again, or was detached for, needs nothing.
		gaps := unexplained(one.gaps, l.Status().State)
		if len(gaps) < len(one.gaps) {
			if err := s.remember(ctx, l); err != nil {
				return err
			}
		}
		doubtful, certain := split(gaps, task.sureFrom)
		if stream.CachedInfo().Config.Replicas > 1 {
			s.set(stream, from, to, reading{one.server, gaps}, func(all []record.Gap) string { return replicaText(l.Service(), one.server, all) })
			continue
		}
		s.set(stream, from, to, reading{one.server, doubtful}, func(all []record.Gap) string { return doubtfulText(l.Service(), all) })
		if err := s.detach(ctx, l, first, certain); err != nil {
			return err
		}
	}
	return nil
}

// read reads a stream, and returns what is damaged on each of its servers.
func (s *Scrubber) read(ctx context.Context, stream jetstream.Stream, from, to uint64) ([]reading, error) {
	if from > to {
		return nil, nil
	}
	readings, err := read(ctx, stream, from, to)
	if err != nil || !slices.ContainsFunc(readings, func(r reading) bool { return len(r.gaps) > 0 }) {
		return readings, err
	}
	asking, cancel := context.WithTimeout(ctx, askTime)
	info, err := stream.Info(asking, jetstream.WithDeletedDetails(true))
	cancel()
	if err != nil {
		return nil, fmt.Errorf("look up %s: %w", stream.CachedInfo().Config.Name, err)
	}
	for i := range readings {
		readings[i].gaps = damaged(readings[i].gaps, heldBy(info.State))
		if info.Config.Replicas <= 1 {
			if err := confirm(ctx, stream, readings[i].gaps); err != nil {
				return nil, err
			}
		}
	}
	return readings, nil
}

// errSlow means that a reader was not given messages that the server can read.
var errSlow = errors.New("the server returned the messages too slowly")

// confirm asks for the messages at the ends of gaps, so that a slow server does not look
// like a damaged one.
func confirm(ctx context.Context, stream jetstream.Stream, gaps []record.Gap) error {
	for i, g := range gaps {
		if i == maxConfirmed {
			return nil
		}
		for _, seq := range []uint64{g.First, g.Last} {
			asking, cancel := context.WithTimeout(ctx, askTime)
			_, err := stream.GetMsg(asking, seq)
			cancel()
			if err == nil {
				return errSlow
			}
			if !errors.Is(err, jetstream.ErrMsgNotFound) {
				return fmt.Errorf("read %s at %d: %w", stream.CachedInfo().Config.Name, seq, err)
			}
		}
	}
	return nil
}

// remember has the gaps of which only the lane's loop knows written into its state record.
func (s *Scrubber) remember(ctx context.Context, l *lane.Lane) error {
	ctx, cancel := context.WithTimeout(ctx, changeTime)
	defer cancel()
	stored, err := s.cfg.Lanes.State(ctx, l.Service())
	if err != nil || len(unexplained(l.Status().State.Gaps, stored)) == 0 {
		return err
	}
	_, err = l.Change(ctx, func(_ context.Context, tip lane.Tip) (lane.State, bool, error) { return tip.State, true, nil })
	return err
}

// detach cuts a lane off that has lost copies.
func (s *Scrubber) detach(ctx context.Context, l *lane.Lane, first uint64, gaps []record.Gap) error {
	if len(gaps) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, changeTime)
	defer cancel()
	reason := ""
	_, err := l.Change(ctx, func(_ context.Context, tip lane.Tip) (lane.State, bool, error) {
		reason = ""
		left := unexplained(gaps, tip.State)
		if len(left) == 0 || tip.State.Detached != nil || tip.State.Dropped {
			return tip.State, false, nil
		}
		next := tip.State
		for _, g := range left {
			next = next.WithGap(g, first)
		}
		reason = detachedText(left)
		return next.Detach(contract.TroubleTrimmed, reason, s.cfg.Now()), true, nil
	})
	if err != nil {
		return fmt.Errorf("detach lane %s: %w", l.Service(), err)
	}
	if reason != "" {
		s.cfg.Logger.Error("lane detached: register interests that state a start", "service", l.Service().String(), "reason", reason)
		s.cfg.Detached(l.Service(), reason)
	}
	return nil
}

// set notes what a server cannot read of a stream, by a review from one sequence to another.
func (s *Scrubber) set(stream jetstream.Stream, from, to uint64, one reading, describe func([]record.Gap) string) {
	name := stream.CachedInfo().Config.Name
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.known[name][one.server]
	now := trouble{gaps: kept(before.gaps, one.gaps, stream.CachedInfo().State.FirstSeq, from, to)}
	if len(now.gaps) == 0 {
		delete(s.known[name], one.server)
		return
	}
	now.text = describe(now.gaps)
	if s.known[name] == nil {
		s.known[name] = make(map[string]trouble)
	}
	if now.text != before.text {
		s.cfg.Logger.Error("a server cannot read messages that it holds", "stream", name, "server", one.server, "messages", text(now.gaps))
	}
	s.known[name][one.server] = now
}

// deadLetters reviews the stream of dead letters if that is due.
func (s *Scrubber) deadLetters(ctx context.Context) {
	if !s.cfg.Letters() {
		s.mu.Lock()
		delete(s.known, contract.StreamDLQ)
		s.mu.Unlock()
		return
	}
	s.letters.stands(place{connection: s.cfg.JS.Conn().Stats().Reconnects}, time.Now(), s.cfg.Every)
	if !s.letters.due {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, reviewTime)
	defer cancel()
	asking, stop := context.WithTimeout(ctx, askTime)
	defer stop()
	stream, err := s.cfg.JS.Stream(asking, contract.StreamDLQ)
	var readings []reading
	if err == nil {
		at := stream.CachedInfo().State
		readings, err = s.read(ctx, stream, max(at.FirstSeq, 1), at.LastSeq)
	}
	if err != nil {
		s.cfg.Logger.Debug("review the dead letters; it is tried again", "err", err)
		return
	}
	s.letters.due = false
	for _, one := range readings {
		s.set(stream, 0, math.MaxUint64, one, func(all []record.Gap) string { return lettersText(one.server, all) })
	}
}
