package kvmap

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"github.com/replhub/replhub/internal/tree"
	"github.com/replhub/replhub/internal/tree/mirror"
)

// Errors of Get, Put and Delete beside those of package tree.
var (
	// ErrPath refuses a path that is no record's; nothing was written.
	ErrPath = mirror.ErrPath
	// ErrValue refuses a value over Config.MaxValue; nothing was written.
	ErrValue = mirror.ErrValue
)

// Map is a bucket, copied and kept up to date by Run. All methods are safe for
// concurrent use.
type Map struct {
	js      jetstream.JetStream
	cfg     Config
	layout  mirror.Layout
	state   *mirror.State
	alarms  *mirror.Alarms
	members *members
	// presence is kept across calls: the bucket may be deleted by hand.
	presence presence
	started  atomic.Bool
	ended    chan struct{} // closed when Run ends
}

// New returns a map of a bucket; Run loads it. The error names the field of
// the configuration that is wrong.
func New(js jetstream.JetStream, cfg Config) (*Map, error) {
	if js == nil {
		return nil, errors.New("kvmap: no JetStream context")
	}
	cfg = cfg.withDefaults()
	layout, err := cfg.layout()
	if err != nil {
		return nil, err
	}
	return &Map{
		js: js, cfg: cfg, layout: layout,
		state:   mirror.NewState(),
		alarms:  mirror.NewAlarms(cfg.Logger),
		members: newMembers(),
		ended:   make(chan struct{}),
	}, nil
}

// Run creates the bucket if it is missing and keeps the copy until ctx ends,
// then leaves (members vanish at once if the server can be reached), waits for
// all that it started and returns nil. The store being away is no error: Run
// tries again, at most two seconds apart. A map runs once.
func (m *Map) Run(ctx context.Context) error {
	if m.started.Swap(true) {
		return errors.New("kvmap: Run was called before")
	}
	defer close(m.ended)
	var group errgroup.Group
	group.Go(func() error { m.keep(ctx); return nil })
	group.Go(func() error { m.hold(ctx); return nil })
	err := group.Wait()
	m.state.Down(errors.New("stopped"))
	return err
}

// keep keeps the copy, one watch after the other.
func (m *Map) keep(ctx context.Context) {
	var pause mirror.Backoff
	for ctx.Err() == nil {
		err := m.watch(ctx, pause.Reset)
		if err == nil || ctx.Err() != nil {
			continue // time for a complete reading, or the end
		}
		if m.state.Status().Err != err.Error() {
			m.cfg.Logger.Warn("registry unavailable", "err", err)
		}
		m.state.Down(err)
		pause.Wait(ctx)
	}
}

// Snapshot returns the newest complete copy, nil before the first. It is
// immutable.
func (m *Map) Snapshot() *tree.Snapshot { return m.state.Snapshot() }

// Changed returns a channel that is closed when there is a newer snapshot than
// at the time of this call. Take the channel first, then the snapshot.
func (m *Map) Changed() <-chan struct{} { return m.state.Changed() }

// Status returns the connection's state. Connected means that the bucket has
// been read and is being watched.
func (m *Map) Status() tree.Status { return m.state.Status() }

// Alarms returns what is wrong with the tree now: strangers that were left
// out, members that could not join. Sorted, bounded in number.
func (m *Map) Alarms() []string { return m.alarms.List() }

// Join makes a member record and holds it until Run ends; joining a path again
// changes the value. Should the process die, the record expires within
// Config.MemberTTL. A path or value that Put would refuse raises an alarm, and
// so does a path that another map holds: the member joins when that lets go.
func (m *Map) Join(path string, value []byte) { m.members.add(path, value) }
