package kvmap

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/replhub/replhub/internal/tree"
	"github.com/replhub/replhub/internal/tree/mirror"
)

const (
	// headerMember marks a member's record with the map that holds it.
	headerMember = "Kvmap-Member"
	// refreshes is how often a member is put within its time to live: two may
	// fail before it expires.
	refreshes = 3
	// leaveWithin bounds the farewell at the end of Run.
	leaveWithin = time.Second
)

// members are the records to hold.
type members struct {
	id   string        // of this map
	wake chan struct{} // holds one token after Join

	mu     sync.Mutex // guards below
	values map[string][]byte
	// at is where this map's last put of a member stands.
	at map[string]uint64
}

func newMembers() *members {
	return &members{
		id: nuid.Next(), wake: make(chan struct{}, 1),
		values: map[string][]byte{}, at: map[string]uint64{},
	}
}

func (m *members) add(path string, value []byte) {
	m.mu.Lock()
	m.values[path] = bytes.Clone(value)
	m.mu.Unlock()
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

func (m *members) all() map[string][]byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.values)
}

func (m *members) standsAt(path string) uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.at[path]
}

func (m *members) stands(path string, seq uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.at[path] = seq
}

// hold puts every member again and again until ctx ends, and then removes
// them. In between it puts those that the copy shows to be gone.
func (m *Map) hold(ctx context.Context) {
	every := time.NewTicker(m.cfg.MemberTTL / refreshes)
	defer every.Stop()
	for due := true; ; {
		changed := m.state.Changed()
		if due || m.missesMember() {
			m.holdAll(ctx)
		}
		due = true
		select {
		case <-ctx.Done():
			m.leave(context.WithoutCancel(ctx))
			return
		case <-every.C:
		case <-m.members.wake:
		case <-changed:
			due = false
		}
	}
}

// missesMember reports whether the copy lacks a member or shows another's.
func (m *Map) missesMember() bool {
	s := m.state.Snapshot()
	if s == nil {
		return false
	}
	for path, value := range m.members.all() {
		if e, ok := s.Entries[path]; !ok || !bytes.Equal(e.Value, value) {
			return true
		}
	}
	return false
}

// holdAll puts every member once.
func (m *Map) holdAll(ctx context.Context) {
	values := m.members.all()
	if len(values) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, m.cfg.MemberTTL)
	defer cancel()
	if connected(ctx, m.js.Conn()) != nil {
		return // the watch says so
	}
	var trouble mirror.Findings
	for path, value := range values {
		err := m.holdOne(ctx, path, value)
		switch {
		case errors.Is(err, tree.ErrUnavailable):
			m.cfg.Logger.Debug("hold member", "path", path, "err", err)
		case errors.Is(err, tree.ErrConflict):
			trouble.Add(path, "another process is a member under this name, such as the same hub before its restart; this one becomes a member when the other's record ends")
		case err != nil:
			trouble.Add(path, "join: "+err.Error())
		}
	}
	m.alarms.Set("members", trouble)
}

// holdOne renews a member's record, or creates it if it is gone.
func (m *Map) holdOne(ctx context.Context, path string, value []byte) error {
	if err := m.layout.CheckWrite(path, value); err != nil {
		return err
	}
	msg := &nats.Msg{Subject: m.target(path), Data: value, Header: nats.Header{headerMember: {m.members.id}}}
	live := jetstream.WithMsgTTL(m.cfg.MemberTTL)
	if at := m.members.standsAt(path); at > 0 {
		seq, err := m.publishAt(ctx, msg, at, live)
		if !errors.Is(err, tree.ErrConflict) {
			if err == nil {
				m.members.stands(path, seq)
			}
			return err
		}
	}
	at, err := m.vacantAt(ctx, path)
	if err != nil {
		return err
	}
	seq, err := m.publishAt(ctx, msg, at, live)
	if err == nil {
		m.members.stands(path, seq)
	}
	return err
}

// vacantAt is the sequence to expect of a member's key that nobody else holds:
// absent, or put by us with an answer that was lost.
func (m *Map) vacantAt(ctx context.Context, path string) (uint64, error) {
	last, err := m.last(ctx, path)
	switch {
	case errors.Is(err, tree.ErrNotFound):
		return 0, nil
	case err != nil:
		return 0, err
	case removed(last.Header) || last.Header.Get(headerMember) == m.members.id:
		return last.Sequence, nil
	}
	return 0, fmt.Errorf("%w: held by another", tree.ErrConflict)
}

// leave removes the members that this map holds, if the server can be reached.
func (m *Map) leave(ctx context.Context) {
	if m.js.Conn().Status() != nats.CONNECTED {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, leaveWithin)
	defer cancel()
	for path := range m.members.all() {
		if at := m.members.standsAt(path); at > 0 {
			if err := m.remove(ctx, path, at); err != nil {
				m.cfg.Logger.Debug("leave", "path", path, "err", err)
			}
		}
	}
}
