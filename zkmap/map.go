package zkmap

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

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

type backoff = mirror.Backoff

// Map is the tree below one znode, copied and kept up to date by Run. All
// methods are safe for concurrent use.
type Map struct {
	cfg      Config
	layout   mirror.Layout
	state    *mirror.State
	alarms   *mirror.Alarms
	members  *members
	sessions *sessionWait
	started  atomic.Bool
}

// New returns a map of a tree; Run connects it. The error names the field of
// the configuration that is wrong.
func New(cfg Config) (*Map, error) {
	cfg = cfg.withDefaults()
	layout, err := cfg.layout()
	if err != nil {
		return nil, err
	}
	return &Map{
		cfg: cfg, layout: layout,
		state:    mirror.NewState(),
		alarms:   mirror.NewAlarms(cfg.Logger),
		members:  newMembers(),
		sessions: newSessionWait(),
	}, nil
}

// Run connects and keeps the copy until ctx ends, then leaves (members vanish
// at once if the server can be reached), waits for all that it started and
// returns nil. The store being away is no error: Run dials again, at most two
// seconds apart. A map runs once.
func (m *Map) Run(ctx context.Context) error {
	if m.started.Swap(true) {
		return errors.New("zkmap: Run was called before")
	}
	var leaving sync.WaitGroup
	defer leaving.Wait()
	defer m.sessions.end()
	var pause backoff
	for ctx.Err() == nil {
		s, err := openSession(ctx, m.cfg)
		if err == nil {
			err = m.serve(ctx, s, pause.Reset)
		}
		if s != nil {
			leaving.Go(s.close) // takes a second when the server is gone
		}
		if ctx.Err() != nil {
			break
		}
		m.down(err)
		pause.Wait(ctx)
	}
	m.state.Down(errors.New("stopped"))
	return nil
}

// serve keeps the copy during one session.
func (m *Map) serve(ctx context.Context, s *session, loaded func()) error {
	m.members.had(s.conn.SessionID())
	m.sessions.set(s)
	defer m.sessions.set(nil)
	k := &replica{m: m, s: s, watched: map[string]watches{}}
	return k.run(ctx, func() {
		loaded()
		m.state.Up()
		m.cfg.Logger.Info("registry connected", "server", s.conn.Server())
	})
}

// down notes that the store is away; the first time is worth a line.
func (m *Map) down(err error) {
	if m.state.Status().Err != err.Error() {
		m.cfg.Logger.Warn("registry unavailable", "err", err)
	}
	m.state.Down(err)
}

// Snapshot returns the newest complete copy, nil before the first. It is
// immutable. Several records changed in one moment may show up one after the
// other.
func (m *Map) Snapshot() *tree.Snapshot { return m.state.Snapshot() }

// Changed returns a channel that is closed when there is a newer snapshot than
// at the time of this call. Take the channel first, then the snapshot.
func (m *Map) Changed() <-chan struct{} { return m.state.Changed() }

// Status returns the connection's state. Connected means that the tree has
// been read in the current session.
func (m *Map) Status() tree.Status { return m.state.Status() }

// Alarms returns what is wrong with the tree now: strangers that were left
// out, members that could not join. Sorted, bounded in number.
func (m *Map) Alarms() []string { return m.alarms.List() }

// Join makes an ephemeral record and holds it in every session until Run
// ends; joining a path again changes the value. Should the process die, the
// record vanishes after the session timeout. A path or value that Put would
// refuse raises an alarm, and so does a path that another live session holds:
// the member joins when that session ends.
func (m *Map) Join(path string, value []byte) {
	m.members.add(path, value)
}
