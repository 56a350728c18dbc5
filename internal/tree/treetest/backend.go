package treetest

import (
	"context"
	"testing"

	"github.com/replhub/replhub/internal/tree"
)

// Map is what a store's map must offer.
type Map interface {
	Run(ctx context.Context) error
	Snapshot() *tree.Snapshot
	Changed() <-chan struct{}
	Get(ctx context.Context, path string) (tree.Entry, error)
	Put(ctx context.Context, path string, value []byte, expect tree.Version) (tree.Version, error)
	Delete(ctx context.Context, path string, expect tree.Version) error
	Join(path string, value []byte)
	Status() tree.Status
	Alarms() []string
}

// Backend is one empty tree in a real store, and what may be done to that
// store. The records of its maps are "entities/*/*", "services/*", "hubs/*",
// "groups/*" and "groups/*/*"; members vanish within two or three seconds.
type Backend interface {
	// Open returns a new map of the tree, with a connection of its own, not
	// running.
	Open(t *testing.T) Map
	// OpenMortal is Open for a map that is cut off by die as by the death of
	// its process: no goodbye reaches the store.
	OpenMortal(t *testing.T) (m Map, die func())
	// Stop stops the store; Start starts it again with the same data.
	Stop(t *testing.T)
	Start(t *testing.T)
	// Pause freezes the store, connections stay; Continue wakes it.
	Pause(t *testing.T)
	Continue(t *testing.T)
	// ErrPath and ErrValue are what Put returns for a path that is no record's
	// and for a value over 256 KiB.
	ErrPath() error
	ErrValue() error
}

// Factory returns an empty tree, for one test.
type Factory func(t *testing.T) Backend
