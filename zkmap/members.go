package zkmap

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"sync"

	"github.com/go-zookeeper/zk"

	"github.com/replhub/replhub/internal/tree"
	"github.com/replhub/replhub/internal/tree/mirror"
)

// maxOldSessions bounds the sessions of ours that are remembered. One is
// forgotten by the server after the session timeout; we need not remember it
// much longer.
const maxOldSessions = 64

// members are the ephemeral records to hold, across sessions.
type members struct {
	wake chan struct{} // holds one token after Join

	mu     sync.Mutex // guards below
	values map[string][]byte
	// sessions are the latest that this map had: a member that an earlier
	// session left behind is ours to replace, another process's is not.
	sessions []int64
}

func newMembers() *members {
	return &members{wake: make(chan struct{}, 1), values: map[string][]byte{}}
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

// had remembers a session as ours.
func (m *members) had(session int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sessions = append(m.sessions, session)
	if len(m.sessions) > maxOldSessions {
		m.sessions = m.sessions[1:]
	}
}

// ours reports whether a znode of that owner may be replaced: it is of an
// earlier session of this map, or nobody's ephemeral.
func (m *members) ours(owner int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return owner == 0 || slices.Contains(m.sessions, owner)
}

// join makes every member that is missing, or not of this session. It runs
// after each reading, so a member that was deleted by hand comes back.
func (k *replica) join(ctx context.Context) error {
	var trouble mirror.Findings
	for path, value := range k.m.members.all() {
		held, err := k.joinOne(ctx, path, value)
		switch {
		case errors.Is(err, tree.ErrUnavailable):
			return fmt.Errorf("join %q: %w", path, err)
		case errors.Is(err, tree.ErrConflict), errors.Is(err, tree.ErrNotFound):
			// It changed under our hands: look again.
			k.s.changes.touch(k.m.cfg.znode(path))
		case err != nil:
			trouble.Add(path, "join: "+err.Error())
		case held:
			trouble.Add(path, "another process is a member under this name, such as the same hub before its restart; this one becomes a member when the other's session ends")
		}
	}
	k.m.alarms.Set("members", trouble)
	return nil
}

// joinOne makes one member. held means that another session has it.
func (k *replica) joinOne(ctx context.Context, path string, value []byte) (held bool, err error) {
	if err := k.m.layout.CheckWrite(path, value); err != nil {
		return false, err
	}
	znode := k.m.cfg.znode(path)
	now, there := k.records[path]
	switch {
	case !there && k.garbage.Has(path):
		return false, errors.New("its znode cannot be used")
	case !there:
		err = k.createMember(ctx, znode, value)
	case now.stat.EphemeralOwner == k.s.conn.SessionID():
		if bytes.Equal(now.data, value) {
			return false, nil
		}
		_, err = multi(ctx, k.s, &zk.SetDataRequest{Path: znode, Data: value, Version: now.stat.Version})
	case k.m.members.ours(now.stat.EphemeralOwner):
		// Old and new in one step: nobody sees the member gone.
		_, err = multi(ctx, k.s,
			&zk.DeleteRequest{Path: znode, Version: now.stat.Version}, k.ephemeral(znode, value))
	default:
		return true, nil
	}
	if err == nil {
		k.s.changes.touch(znode)
	}
	return false, err
}

func (k *replica) ephemeral(znode string, value []byte) *zk.CreateRequest {
	return &zk.CreateRequest{Path: znode, Data: append([]byte{}, value...), Acl: k.m.cfg.acl(), Flags: zk.FlagEphemeral}
}

func (k *replica) createMember(ctx context.Context, znode string, value []byte) error {
	if _, err := multi(ctx, k.s, k.ephemeral(znode, value)); !errors.Is(err, tree.ErrNotFound) {
		return err
	}
	if err := ensure(ctx, k.s, k.m.cfg, path.Dir(znode)); err != nil {
		return err
	}
	_, err := multi(ctx, k.s, k.ephemeral(znode, value))
	return err
}
