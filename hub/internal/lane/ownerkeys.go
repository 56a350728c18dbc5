package lane

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// A backfill of keys brings each key's row, or says that there is none. Its order is that
// of the keys, and its place is how many keys are done.
//
// That an owner does not have a row is proven by a lookup of its key, or by reading all of
// its rows: they come in an order that never changes. The position of rows and of deletes is read before the first
// row. If the owner makes a row of the key meanwhile, or later, the event of that change
// has a later position, and wins over the delete, whichever comes first.

// askKeys asks for the rows of the keys that follow a place.
func (o owner) askKeys(ctx context.Context, from Snapshot) (*chunk, error) {
	if from.Row >= uint64(len(from.Keys)) {
		return &chunk{origin: from.Origin}, nil
	}
	keys := from.Keys[from.Row:]
	at, err := watermark(ctx, o.ingest)
	if err != nil {
		return nil, err
	}
	keys, found, origin, err := o.find(ctx, keys)
	if err != nil {
		return nil, err
	}
	if from.Row > 0 && origin != from.Origin {
		return nil, differentOwner(o.interest.Entity, from.Origin, origin)
	}
	return o.rowsOf(at, from, origin, keys, found)
}

// rowsOf makes the rows and deletes of keys.
func (o owner) rowsOf(at ingest.Mark, from Snapshot, origin string, keys []string, found map[string]*nats.Msg) (*chunk, error) {
	entity, err := subjects.ParseName(o.interest.Entity)
	if err != nil {
		return nil, err
	}
	c := &chunk{origin: origin}
	of := event.RowOf{Entity: entity, Snapshot: from.ID, Number: from.Row, Origin: origin}
	for _, key := range keys {
		of.Number++
		m := found[key]
		if m == nil {
			c.rows = append(c.rows, event.Absent(at.Position, at.Time, of, key))
			continue
		}
		e, err := event.Row(at.Position, at.Time, of, m.Header, m.Data)
		if err != nil {
			return nil, fmt.Errorf("the owner of %s: %w", o.interest.Entity, err)
		}
		c.rows = append(c.rows, e)
	}
	return c, nil
}

// find has the owner look up the keys, or reads the owner's rows from the first to the last
// and keeps those of the keys. It returns the keys that it looked for: the first ones, where
// a chunk has no room for the rows of all.
func (o owner) find(ctx context.Context, keys []string) (sought []string, found map[string]*nats.Msg, origin string, err error) {
	found = make(map[string]*nats.Msg, len(keys))
	size, looked := 0, 0
	for after := ""; ; {
		some, err := o.someOf(ctx, keys[looked:], after)
		if err != nil {
			return nil, nil, "", err
		}
		if (after != "" || looked > 0) && some.origin != origin {
			return nil, nil, "", differentOwner(o.interest.Entity, origin, some.origin)
		}
		origin = some.origin
		for _, m := range some.rows {
			key := m.Header.Get(contract.HeaderKey)
			if _, sought := slices.BinarySearch(keys, key); !sought || found[key] != nil {
				continue
			}
			found[key] = m
			for size += m.Size(); size > chunkBytes && len(keys) > 1; keys = keys[:len(keys)-1] {
				if last := found[keys[len(keys)-1]]; last != nil {
					size -= last.Size()
					delete(found, keys[len(keys)-1])
				}
			}
		}
		looked += some.looked
		switch {
		case some.end, looked >= len(keys):
			return keys, found, origin, nil
		case some.looked > 0:
			continue
		case some.after == after:
			return nil, nil, "", fmt.Errorf("the owner of %s gives row %s again: rows must begin behind the key that is asked for", o.interest.Entity, strconv.QuoteToASCII(record.Clip(after)))
		}
		after = some.after
	}
}

// some is an owner's answer to a request for the rows of keys.
type some struct {
	rows   []*nats.Msg
	origin string
	// looked is how many of the keys the owner has looked up. If it is 0, the owner reads
	// its rows, and has read them up to after.
	looked int
	after  string
	end    bool // no row follows
}

// someOf asks once for the rows of keys. An owner that does not look them up reads its
// rows behind a key.
func (o owner) someOf(ctx context.Context, keys []string, after string) (some, error) {
	ctx, cancel := context.WithTimeout(ctx, chunkTime)
	defer cancel()
	sub, err := o.request(contract.SnapshotRequest{
		After: after, Limit: chunkRows, MaxBytes: chunkBytes, Timeout: contract.Duration(chunkTime), Keys: keys, Lookup: after == "",
	})
	if err != nil {
		return some{}, fmt.Errorf("ask for rows of %s: %w", o.interest.Entity, err)
	}
	// It fails only where the connection is closed, which also ends the subscription.
	defer func() { _ = sub.Unsubscribe() }()
	rows, end, err := o.receive(ctx, sub)
	if err != nil {
		return some{}, err
	}
	var read contract.Digested
	if text := end.Get(contract.HeaderDigest); text != "" {
		if err := json.Unmarshal([]byte(text), &read); err != nil {
			return some{}, fmt.Errorf("read how far the owner of %s is: %w", o.interest.Entity, err)
		}
	} else {
		read.End = len(rows) == 0 // an owner of an earlier version
	}
	s := some{rows: rows, origin: originOf(end), looked: min(read.Looked, len(keys)), after: read.After, end: read.End}
	last := ""
	if len(rows) > 0 {
		last = rows[len(rows)-1].Header.Get(contract.HeaderKey)
	}
	switch complete := end.Get(contract.HeaderRow) == strconv.Itoa(len(rows)); {
	case !complete && s.looked > 0: // some rows did not fit, and are asked for again
		s.looked, s.end = slices.Index(keys, last)+1, false
	case !complete, s.after == "" && s.looked == 0 && !s.end:
		s.after, s.end = last, false
	}
	return s, nil
}
