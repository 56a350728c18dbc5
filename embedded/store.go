package embedded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// lockName is the file in a store folder that a running server holds locked.
const lockName = "replhub.lock"

// store is the folder of the streams, held exclusively while open: two servers
// on one folder would overwrite each other's files, and nats-server itself
// does not look.
type store struct {
	dir       string
	temporary bool
	lock      *os.File
}

// openStore makes and locks dir, or a temporary folder when dir is empty.
func openStore(dir string) (*store, error) {
	temporary := dir == ""
	if temporary {
		made, err := os.MkdirTemp("", "replhub-")
		if err != nil {
			return nil, fmt.Errorf("make a temporary store folder: %w", err)
		}
		dir = made
	} else if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("make store folder %s: %w; choose one that can be written", dir, err)
	}
	lock, err := lockFile(filepath.Join(dir, lockName))
	switch {
	case errors.Is(err, ErrStoreInUse):
		return nil, fmt.Errorf("store folder %s: %w; stop the other server or choose another folder", dir, err)
	case err != nil:
		return nil, fmt.Errorf("lock store folder %s: %w; choose one that can be written", dir, err)
	}
	return &store{dir: dir, temporary: temporary, lock: lock}, nil
}

// close gives the folder up, and removes it if it was made for this run. The
// lock file of a chosen folder stays: removing it would let a second server in
// while a third still holds the removed one.
func (s *store) close() error {
	var removed error
	if s.temporary {
		removed = os.RemoveAll(s.dir)
	}
	return errors.Join(removed, s.lock.Close())
}
