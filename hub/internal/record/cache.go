package record

import (
	"bytes"

	"github.com/replhub/replhub/internal/tree"
)

// Cache keeps the parsed records of interests, by their paths: every look goes over
// all records, and few have changed since the last look.
type Cache map[string]cached

type cached struct {
	value  []byte
	record Interest
	newer  bool
	err    error
}

// Parse is ParseInterest.
func (c Cache) Parse(path string, value []byte) (Interest, bool, error) {
	have, ok := c[path]
	if !ok || !bytes.Equal(have.value, value) {
		have = cached{value: value}
		have.record, have.newer, have.err = ParseInterest(value)
		c[path] = have
	}
	return have.record, have.newer, have.err
}

// Keep forgets the records that are gone.
func (c Cache) Keep(entries map[string]tree.Entry) {
	if len(c) <= len(entries) {
		return
	}
	for path := range c {
		if _, there := entries[path]; !there {
			delete(c, path)
		}
	}
}
