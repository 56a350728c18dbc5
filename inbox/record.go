package inbox

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/internal/contract"
)

// MaxKey is the longest key, in bytes; the hub treats longer keys as absent.
const MaxKey = contract.MaxKey

const (
	longestEntity = 63
	longestOrigin = 63
)

// ErrNoKey means that a delivery has no key and so no order: the inbox cannot tell
// whether its effect was made. See Config.Key.
var ErrNoKey error = permanentError("the delivery has no key")

const errNotAKey = permanentError("a key has at most 1024 bytes of UTF-8, no control characters, and no white space at its ends")

// record is a row of the inbox.
type record struct {
	entity string
	key    string
	stamp  Stamp
	// ofSnapshot says that the delivery is a row of a snapshot, not an event.
	ofSnapshot bool
}

// ofSnapshot reports whether d is a row of a snapshot or of a backfill.
func ofSnapshot(d *replhub.Delivery) bool { return d.Row > 0 }

// record is the row that d would leave.
func (i *Inbox) record(d *replhub.Delivery) (record, error) {
	r := record{entity: d.Entity, key: i.cfg.Key(d), ofSnapshot: ofSnapshot(d), stamp: Stamp{
		Position: d.Position,
		Origin:   d.Origin,
		Version:  max(d.Version, 0),
		Time:     fromNano(toNano(i.cfg.Time(d))),
		Deleted:  d.Op == replhub.Delete,
	}}
	switch {
	case r.entity == "" || len(r.entity) > longestEntity:
		return record{}, fmt.Errorf("entity %q: must have 1 to %d bytes", r.entity, longestEntity)
	case r.key == "":
		return record{}, ErrNoKey
	case !contract.ValidKey(r.key):
		return record{}, fmt.Errorf("key %q of %d bytes: %w", shown(r.key), len(r.key), errNotAKey)
	case r.stamp.Position.Seq == 0:
		return record{}, errors.New("the delivery has no position")
	case len(r.stamp.Origin) > longestOrigin || !utf8.ValidString(r.stamp.Origin):
		return record{}, fmt.Errorf("origin %q: must be text of at most %d bytes", r.stamp.Origin, longestOrigin)
	}
	return r, nil
}

// args are r's columns, and when it is applied.
func (r record) args(now time.Time) []any {
	return append([]any{r.entity, []byte(r.key)}, r.stamp.args(now)...)
}

func (s Stamp) args(now time.Time) []any { return append(s.columns(), toNano(now)) }

// columns are s as stampColumns.
func (s Stamp) columns() []any {
	return []any{int64(s.Position.Epoch), int64(s.Position.Seq), s.Origin, s.Version, toNano(s.Time), s.Deleted}
}

// storedStamp is a stamp as it is read from stampColumns.
type storedStamp struct {
	epoch, seq, version, eventAt int64
	origin                       string
	deleted                      bool
}

// into are where the columns go.
func (s *storedStamp) into() []any {
	return []any{&s.epoch, &s.seq, &s.origin, &s.version, &s.eventAt, &s.deleted}
}

func (s *storedStamp) stamp() Stamp {
	return Stamp{
		Position: replhub.Position{Epoch: uint64(s.epoch), Seq: uint64(s.seq)},
		Origin:   s.origin, Version: s.version, Time: fromNano(s.eventAt), Deleted: s.deleted,
	}
}

// readStamp reads stampColumns of a query's one row.
func readStamp(ctx context.Context, tx database.Tx, query string, args ...any) (Stamp, error) {
	var s storedStamp
	if err := database.QueryRow(ctx, tx, s.into(), query, args...); err != nil {
		return Stamp{}, err
	}
	return s.stamp(), nil
}

// toNano is t as nanoseconds since 1970, which hold 1678 to 2262; no time is 0.
func toNano(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func fromNano(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}
