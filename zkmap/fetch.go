package zkmap

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-zookeeper/zk"
	"golang.org/x/sync/errgroup"

	"github.com/replhub/replhub/internal/tree"
	"github.com/replhub/replhub/internal/tree/mirror"
)

// maxReads bounds the readings under way at once: enough to hide the way to
// the server, few beside the calls of others.
const maxReads = 16

// reply is what the server said about one path.
type reply struct {
	path     string
	kind     mirror.Kind
	found    found    // of a record
	children []string // of a folder
	err      error    // of this path alone: missing, forbidden
}

// fetch reads all paths, in their order, and sets a watch on each that has
// none: there are no recursive ones. It fails as a whole when the store cannot
// be reached.
func (k *replica) fetch(ctx context.Context, paths []string) ([]reply, error) {
	replies := make([]reply, len(paths))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxReads)
	for i, path := range paths {
		kind := k.m.layout.Kind(path)
		replies[i] = reply{path: path, kind: kind}
		if kind == mirror.Garbage {
			continue
		}
		set := k.watched[k.m.cfg.znode(path)]
		group.Go(func() error {
			replies[i] = k.fetchOne(ctx, path, kind, set)
			if err := replies[i].err; err != nil && !ofPath(err) {
				return fmt.Errorf("read %q: %w", path, err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for _, r := range replies {
		if r.kind != mirror.Garbage && r.err == nil {
			k.noteWatch(k.m.cfg.znode(r.path), r.kind)
		}
	}
	return replies, nil
}

// ofPath reports whether a reading failed for its znode alone. A znode that
// vanished between listing and reading is the common case.
func ofPath(err error) bool {
	return errors.Is(err, tree.ErrNotFound) || errors.Is(err, zk.ErrNoAuth)
}

func (k *replica) fetchOne(ctx context.Context, path string, kind mirror.Kind, set watches) reply {
	znode := k.m.cfg.znode(path)
	r := reply{path: path, kind: kind}
	if kind.IsFolder() {
		r.children, r.err = call(ctx, k.s, func(c *zk.Conn) ([]string, error) {
			if set.children {
				names, _, err := c.Children(znode)
				return names, err
			}
			names, _, _, err := c.ChildrenW(znode)
			return names, err
		})
	}
	if !kind.IsRecord() || r.err != nil {
		return r
	}
	r.found, r.err = call(ctx, k.s, func(c *zk.Conn) (found, error) {
		var data []byte
		var stat *zk.Stat
		var err error
		if set.data {
			data, stat, err = c.Get(znode)
		} else {
			data, stat, _, err = c.GetW(znode)
		}
		if err != nil {
			return found{}, err
		}
		return found{data, *stat}, nil
	})
	return r
}
