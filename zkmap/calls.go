package zkmap

import (
	"context"
	"errors"
	"fmt"
	"path"

	"github.com/go-zookeeper/zk"

	"github.com/replhub/replhub/internal/tree"
)

// maxTries bounds how often one write starts over because the record was created or
// deleted meanwhile.
const maxTries = 10

// found is a znode as it was read.
type found struct {
	data []byte
	stat zk.Stat
}

func (f found) entry() tree.Entry {
	return tree.Entry{Value: f.data, Version: tree.Version(f.stat.Mzxid)}
}

// Get reads a record as it is now: a lagging server catches up with the leader
// first. It returns tree.ErrNotFound, tree.ErrUnavailable, or ErrPath for a
// path that is no record's. Safe for concurrent use, as are Put and Delete.
func (m *Map) Get(ctx context.Context, path string) (tree.Entry, error) {
	if err := m.layout.CheckPath(path); err != nil {
		return tree.Entry{}, fmt.Errorf("get: %w", err)
	}
	ctx, cancel := m.bound(ctx)
	defer cancel()
	var pause backoff
	for {
		f, err := inSession(ctx, m, func(ctx context.Context, s *session) (found, error) { return readNow(ctx, s, m.cfg.znode(path)) })
		if err == nil {
			return f.entry(), nil
		}
		// A read may be repeated: in the next session, until ctx ends.
		if !errors.Is(err, tree.ErrUnavailable) || ctx.Err() != nil || m.sessions.over() {
			return tree.Entry{}, fmt.Errorf("get %q: %w", path, err)
		}
		pause.Wait(ctx)
	}
}

// Put writes a record if it is at version expect (or tree.Any, tree.Absent)
// and returns its new version; folders above it are created. It returns
// tree.ErrConflict, ErrPath, ErrValue, or tree.ErrUnavailable: then the
// outcome is unknown.
func (m *Map) Put(ctx context.Context, path string, value []byte, expect tree.Version) (tree.Version, error) {
	if err := m.layout.CheckWrite(path, value); err != nil {
		return 0, fmt.Errorf("put: %w", err)
	}
	ctx, cancel := m.bound(ctx)
	defer cancel()
	w := write{cfg: m.cfg, znode: m.cfg.znode(path), value: append([]byte{}, value...), expect: expect}
	v, err := inSession(ctx, m, w.put)
	if err != nil {
		return 0, fmt.Errorf("put %q: %w", path, err)
	}
	return v, nil
}

// Delete removes a record if it is at version expect, or tree.Any. It returns
// tree.ErrNotFound, tree.ErrConflict, ErrPath, or tree.ErrUnavailable: then
// the outcome is unknown.
func (m *Map) Delete(ctx context.Context, path string, expect tree.Version) error {
	if err := m.layout.CheckPath(path); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	ctx, cancel := m.bound(ctx)
	defer cancel()
	w := write{cfg: m.cfg, znode: m.cfg.znode(path), expect: expect}
	if _, err := inSession(ctx, m, w.delete); err != nil {
		return fmt.Errorf("delete %q: %w", path, err)
	}
	return nil
}

// bound adds the map's own bound to a caller's context.
func (m *Map) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, m.cfg.CallTimeout, callTimeout(m.cfg.CallTimeout))
}

// inSession waits for a session and does f in it.
func inSession[T any](ctx context.Context, m *Map, f func(context.Context, *session) (T, error)) (T, error) {
	s, err := m.sessions.get(ctx)
	if err != nil {
		var none T
		return none, err
	}
	return f(ctx, s)
}

// readNow reads a znode after the server has caught up with the leader.
func readNow(ctx context.Context, s *session, znode string) (found, error) {
	if err := catchUp(ctx, s, znode); err != nil {
		return found{}, err
	}
	return call(ctx, s, func(c *zk.Conn) (found, error) {
		data, stat, err := c.Get(znode)
		if err != nil {
			return found{}, err
		}
		return found{data, *stat}, nil
	})
}

// catchUp has the server we are connected to apply all that its leader has
// committed: without it, a follower that lags answers from the past.
func catchUp(ctx context.Context, s *session, znode string) error {
	_, err := call(ctx, s, func(c *zk.Conn) (string, error) { return c.Sync(znode) })
	if err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	return nil
}

// write is one Put or Delete.
type write struct {
	cfg    Config
	znode  string
	value  []byte
	expect tree.Version
}

// put compares and sets. ZooKeeper itself compares only the znode's count of
// writes, which starts over when it is created again; our versions are
// zxids, which do not, and are compared first.
func (w write) put(ctx context.Context, s *session) (tree.Version, error) {
	for range maxTries {
		now, err := readNow(ctx, s, w.znode)
		missing := errors.Is(err, tree.ErrNotFound)
		if err != nil && !missing {
			return 0, err
		}
		if w.conflicts(now, missing) {
			return 0, tree.ErrConflict
		}
		if missing {
			v, err := create(ctx, s, w.cfg, w.znode, w.value)
			if w.expect == tree.Any && errors.Is(err, tree.ErrConflict) {
				continue // created meanwhile
			}
			return v, err
		}
		v, err := w.set(ctx, s, now.stat.Version)
		switch {
		case w.expect == tree.Any && errors.Is(err, tree.ErrNotFound):
			continue // deleted meanwhile
		case errors.Is(err, tree.ErrNotFound):
			return 0, fmt.Errorf("%w: deleted meanwhile", tree.ErrConflict)
		}
		return v, err
	}
	return 0, fmt.Errorf("%w: it comes and goes", tree.ErrConflict)
}

// conflicts reports whether what was found is not what is expected.
func (w write) conflicts(now found, missing bool) bool {
	switch w.expect {
	case tree.Any:
		return false
	case tree.Absent:
		return !missing
	}
	return missing || now.entry().Version != w.expect
}

func (w write) set(ctx context.Context, s *session, version int32) (tree.Version, error) {
	if w.expect == tree.Any {
		version = -1
	}
	return call(ctx, s, func(c *zk.Conn) (tree.Version, error) {
		stat, err := c.Set(w.znode, w.value, version)
		if err != nil {
			return 0, err
		}
		return tree.Version(stat.Mzxid), nil
	})
}

func (w write) delete(ctx context.Context, s *session) (struct{}, error) {
	none := struct{}{}
	now, err := readNow(ctx, s, w.znode)
	if err != nil {
		return none, err
	}
	version := int32(-1)
	if w.expect != tree.Any {
		if w.conflicts(now, false) {
			return none, tree.ErrConflict
		}
		version = now.stat.Version
	}
	return call(ctx, s, func(c *zk.Conn) (struct{}, error) { return none, c.Delete(w.znode, version) })
}

// create makes a persistent record and the folders above it.
func create(ctx context.Context, s *session, cfg Config, znode string, value []byte) (tree.Version, error) {
	// Created empty and set at once, in one transaction: the library does not
	// tell the zxid of a creation, but that of a set.
	ops := []any{
		&zk.CreateRequest{Path: znode, Data: []byte{}, Acl: cfg.acl()},
		&zk.SetDataRequest{Path: znode, Data: value, Version: 0},
	}
	v, err := multi(ctx, s, ops...)
	if !errors.Is(err, tree.ErrNotFound) {
		return v, err
	}
	if err := ensure(ctx, s, cfg, path.Dir(znode)); err != nil {
		return 0, err
	}
	return multi(ctx, s, ops...)
}

// multi does all ops or none, and returns the version that the last left.
func multi(ctx context.Context, s *session, ops ...any) (tree.Version, error) {
	return call(ctx, s, func(c *zk.Conn) (tree.Version, error) {
		answers, err := c.Multi(ops...)
		if err != nil {
			return 0, err
		}
		if last := answers[len(answers)-1]; last.Stat != nil {
			return tree.Version(last.Stat.Mzxid), nil
		}
		return 0, nil
	})
}

// ensure creates a folder and what is missing above it.
func ensure(ctx context.Context, s *session, cfg Config, znode string) error {
	if znode == "/" {
		return nil
	}
	// Asked first: who may not create in / may still use what is there.
	exists, err := call(ctx, s, func(c *zk.Conn) (bool, error) {
		there, _, err := c.Exists(znode)
		return there, err
	})
	if err != nil {
		return fmt.Errorf("look for %s: %w", znode, err)
	}
	if exists {
		return nil
	}
	if err := ensure(ctx, s, cfg, path.Dir(znode)); err != nil {
		return err
	}
	_, err = call(ctx, s, func(c *zk.Conn) (string, error) { return c.Create(znode, []byte{}, 0, cfg.acl()) })
	if err != nil && !errors.Is(err, tree.ErrConflict) {
		return fmt.Errorf("create %s: %w", znode, err)
	}
	return nil
}
