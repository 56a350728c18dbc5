package replhub

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/replhub/replhub/internal/contract"
)

// LookupFunc yields the rows of some keys, in any order. A key that has no row is left
// out. An Event is as that of a SnapshotFunc, and the keys are as that function yields
// them. When yield returns an error, the function must return, with that error or with nil.
//
// It must read the committed state at the time of the call, from the primary database:
// where it yields no row of a key, a replica's row of that key is deleted. So a key that
// the function cannot look up must not be left out: it returns an error, or
// errors.ErrUnsupported to have all rows read instead. Calls run concurrently.
//
//	SELECT id, data FROM users WHERE id = ANY ($1)
type LookupFunc func(ctx context.Context, keys []string, yield func(Event) error) error

// lookupKeys is how many keys one call of a LookupFunc gets at most.
const lookupKeys = 500

// lookUp answers with the rows of keys that a LookupFunc finds. The answer says of how many
// keys, in the order of the request. errors.ErrUnsupported is returned before the first row.
func (s *snapshots) lookUp(ctx context.Context, d *digesting) error {
	keys := d.answer.asked.Keys
	if d.answer.asked.Digest != nil {
		keys = d.answer.asked.Digest.Keys
	}
	if len(keys) == 0 {
		return errors.ErrUnsupported
	}
	for most := lookupKeys; d.read.Looked < len(keys); {
		part := keys[d.read.Looked:]
		part = part[:min(most, len(part))]
		found, err := d.find(ctx, s.lookup, part)
		switch {
		case errors.Is(err, errEnough):
			most = max(1, len(part)/2) // the rows of fewer keys at a time fit in memory
			continue
		case errors.Is(err, errors.ErrUnsupported) && d.read.Looked > 0:
			return d.send(false) // the next request begins with these keys
		case err != nil:
			return err
		}
		for _, key := range part {
			if d.enough() {
				return d.send(false)
			}
			if ev, ok := found[key]; ok {
				if err := d.take(key, ev); err != nil && !errors.Is(err, errEnough) {
					return err
				}
			}
			d.read.Looked++
		}
	}
	return d.send(true)
}

// lookupBytes bounds the rows of several keys that are held at once.
const lookupBytes = 4 << 20

// find looks up the rows of keys. If they are too long to be held, it returns errEnough.
func (d *digesting) find(ctx context.Context, lookup LookupFunc, keys []string) (map[string]Event, error) {
	found, size := make(map[string]Event, len(keys)), 0
	var failed error
	err := lookup(ctx, slices.Clone(keys), func(ev Event) error {
		if failed != nil {
			return failed
		}
		key, err := d.answer.key(ev)
		if err != nil {
			failed = fmt.Errorf("row %s: %w", contract.Quote(ev.Key), err)
			return failed
		}
		if size += len(ev.Data); size > lookupBytes && len(keys) > 1 {
			failed = errEnough
			return failed
		}
		ev.Data = bytes.Clone(ev.Data)
		found[key] = ev
		return nil
	})
	if failed != nil {
		return nil, failed
	}
	return found, err
}
