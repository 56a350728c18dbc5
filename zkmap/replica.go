package zkmap

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/replhub/replhub/internal/tree"
	"github.com/replhub/replhub/internal/tree/mirror"
)

// replica keeps the copy of the tree during one session. One goroutine uses it.
type replica struct {
	m *Map
	s *session

	records map[string]found               // by path
	folders map[string]map[string]struct{} // names of children, by path
	garbage mirror.Findings
	// watched are the watches that are set, by znode. There is never a second
	// one on the same: the library would keep both for ever.
	watched map[string]watches
	pace    mirror.Pace // of publishing
}

type watches struct{ data, children bool }

// run keeps the copy until ctx ends, the session is lost, or something cannot
// be read, which it returns. up is called after each complete reading.
func (k *replica) run(ctx context.Context, up func()) error {
	if err := k.reload(ctx); err != nil {
		return err
	}
	up()
	resync := time.NewTicker(k.m.cfg.Resync)
	defer resync.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case <-k.s.lost:
			return errLost
		case <-k.m.members.wake:
			err = k.join(ctx)
		case <-k.s.changes.wake:
			if k.rest(ctx) {
				err = k.refresh(ctx)
			}
		case <-resync.C:
			err = k.reload(ctx)
		}
		if err != nil {
			return err
		}
	}
}

// reload reads the whole tree. Nothing is published unless all of it was read:
// a connection lost half-way must not look like a deletion.
func (k *replica) reload(ctx context.Context) error {
	if err := catchUp(ctx, k.s, k.m.cfg.Root); err != nil {
		return err
	}
	if err := k.ensureFolders(ctx); err != nil {
		return err
	}
	k.forgetFired(k.s.changes.take())
	k.records = map[string]found{}
	k.folders = map[string]map[string]struct{}{}
	k.garbage = mirror.Findings{}
	if err := k.read(ctx, []string{""}); err != nil {
		return err
	}
	k.publish()
	return k.join(ctx)
}

func (k *replica) ensureFolders(ctx context.Context) error {
	for _, folder := range append([]string{""}, k.m.cfg.Folders...) {
		if err := ensure(ctx, k.s, k.m.cfg, k.m.cfg.znode(folder)); err != nil {
			return err
		}
	}
	return nil
}

// rest waits until another snapshot is due, while what changes is gathered, and
// reports whether ctx goes on.
func (k *replica) rest(ctx context.Context) bool {
	timer := time.NewTimer(time.Until(k.pace.Next()))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-k.s.lost:
		return true
	case <-ctx.Done():
		return false
	}
}

// refresh reads again what the fired watches name.
func (k *replica) refresh(ctx context.Context) error {
	fired := k.s.changes.take()
	k.forgetFired(fired)
	var paths []string
	for znode := range fired {
		if path, ok := k.m.cfg.relative(znode); ok {
			paths = append(paths, path)
		}
	}
	// Folders before what is in them.
	slices.Sort(paths)
	if err := k.read(ctx, paths); err != nil {
		return err
	}
	if k.lacksFolder() {
		return k.reload(ctx)
	}
	k.publish()
	return k.join(ctx)
}

// forgetFired notes which watches must be set again.
func (k *replica) forgetFired(fired map[string]gone) {
	for znode, g := range fired {
		w := k.watched[znode]
		w.data, w.children = w.data && !g.data, w.children && !g.children
		if w == (watches{}) {
			delete(k.watched, znode)
			continue
		}
		k.watched[znode] = w
	}
}

// lacksFolder reports whether a folder that must be there was seen to vanish.
func (k *replica) lacksFolder() bool {
	for _, folder := range append([]string{""}, k.m.cfg.Folders...) {
		if _, there := k.folders[folder]; !there {
			return true
		}
	}
	return false
}

// read reads paths, and what appears below them, one level after the other.
func (k *replica) read(ctx context.Context, paths []string) error {
	for len(paths) > 0 {
		replies, err := k.fetch(ctx, paths)
		if err != nil {
			return err
		}
		paths = nil
		for _, r := range replies {
			paths = append(paths, k.take(r)...)
		}
	}
	return nil
}

// take puts one reply in its place and returns what to read because of it.
func (k *replica) take(r reply) []string {
	switch {
	case r.kind == mirror.Garbage:
		k.garbage.Add(r.path, "not a record, nor a folder of records")
		return nil
	case errors.Is(r.err, tree.ErrNotFound):
		k.drop(r.path)
		k.unlist(r.path)
		return nil
	case r.err != nil:
		k.drop(r.path)
		k.garbage.Add(r.path, r.err.Error())
		return nil
	}
	k.garbage.Drop(r.path)
	if r.kind.IsRecord() {
		k.takeRecord(r.path, r.kind, r.found)
	}
	if r.kind.IsFolder() {
		return k.takeFolder(r.path, r.children)
	}
	return nil
}

func (k *replica) takeRecord(path string, kind mirror.Kind, f found) {
	switch {
	case !k.m.layout.Holds(len(f.data)):
		delete(k.records, path)
		k.garbage.Add(path, fmt.Sprintf("value of %d bytes, at most %d", len(f.data), k.m.cfg.MaxValue))
		return
	case f.stat.NumChildren > 0 && !kind.IsFolder():
		k.garbage.Add(path, "a record with children; they are ignored")
	}
	k.records[path] = f
}

// takeFolder notes who left and returns who came.
func (k *replica) takeFolder(path string, names []string) []string {
	before, now := k.folders[path], make(map[string]struct{}, len(names))
	k.folders[path] = now
	var came []string
	for _, name := range names {
		now[name] = struct{}{}
		if _, known := before[name]; !known {
			came = append(came, below(path, name))
		}
	}
	for name := range before {
		if _, still := now[name]; !still {
			k.drop(below(path, name))
		}
	}
	return came
}

func below(path, name string) string {
	if path == "" {
		return name
	}
	return path + "/" + name
}

// drop forgets a path and all below it.
func (k *replica) drop(path string) {
	delete(k.records, path)
	k.garbage.DropUnder(path)
	if _, folder := k.folders[path]; !folder {
		return
	}
	delete(k.folders, path)
	under := path + "/"
	if path == "" {
		under = ""
	}
	maps.DeleteFunc(k.records, func(p string, _ found) bool { return strings.HasPrefix(p, under) })
	maps.DeleteFunc(k.folders, func(p string, _ map[string]struct{}) bool { return strings.HasPrefix(p, under) })
}

// unlist takes a path that is gone off its folder's list: made again before
// the folder is read, it must count as having come.
func (k *replica) unlist(gone string) {
	folder, name := path.Split(gone)
	delete(k.folders[strings.TrimSuffix(folder, "/")], name)
}

// publish shows the copy to readers.
func (k *replica) publish() {
	k.pace.Step(func() {
		entries := make(map[string]tree.Entry, len(k.records))
		for path, f := range k.records {
			entries[path] = f.entry()
		}
		k.m.alarms.Set("tree", k.garbage)
		k.m.state.Publish(entries)
	})
}

// noteWatch records that the watch which a reading asked for is set.
func (k *replica) noteWatch(znode string, kind mirror.Kind) {
	w := k.watched[znode]
	w.children = w.children || kind.IsFolder()
	w.data = w.data || kind.IsRecord()
	k.watched[znode] = w
}
