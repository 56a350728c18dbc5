package source

import (
	"cmp"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/capture/internal/selection"
)

// lookedUp looks up keys.
func lookedUp(t *testing.T, s *Snapshots, entity string, keys ...string) (rows []replhub.Event) {
	t.Helper()
	err := s.Lookup(entity)(t.Context(), keys, func(ev replhub.Event) error {
		rows = append(rows, ev)
		return nil
	})
	if err != nil {
		t.Fatalf("%s: %v", entity, err)
	}
	return rows
}

// lookupIsAsTheScan looks up each key that a scan yields: each brings the same row.
func lookupIsAsTheScan(t *testing.T, s *Snapshots, entity string) {
	t.Helper()
	rows, _ := all(t, s, entity)
	keys := make([]string, len(rows))
	for n := range rows {
		keys[n], rows[n].Version = rows[n].Key, 0
	}
	found := lookedUp(t, s, entity, keys...)
	for n := range found {
		if found[n].Version == 0 {
			t.Errorf("%s: row %s has no version", entity, found[n].Key)
		}
		found[n].Version = 0
	}
	byKey := func(a, b replhub.Event) int { return cmp.Compare(a.Key, b.Key) }
	slices.SortFunc(rows, byKey)
	slices.SortFunc(found, byKey)
	if !reflect.DeepEqual(found, rows) {
		t.Errorf("%s: looked up %d rows of %d, or others", entity, len(found), len(rows))
	}
}

// A key that the column cannot hold has no row. The rows of the other keys are found, and
// one that is too large is not taken for one that is gone.
func TestLookupOfAnotherType(t *testing.T) {
	d := newDatabase(t, "CREATE TABLE users (id int PRIMARY KEY, note text)", "INSERT INTO users VALUES (1, 'a'), (2, 'b'), (3, repeat('x', 100000))")
	s := newSnapshots(t, d, selection.Config{Tables: []string{"public.users=user"}})
	s.Most = func() int64 { return 10_000 }
	for _, keys := range [][]string{{"1", "one", "7"}, {"one", "1"}, {"1", "99999999999999999999"}, {"1", "7"}} {
		if rows := lookedUp(t, s, "user", keys...); len(rows) != 1 || rows[0].Key != "1" {
			t.Errorf("looked up %v of %v", rows, keys)
		}
	}
	if rows := lookedUp(t, s, "user", "one", "two"); len(rows) != 0 {
		t.Errorf("looked up %v", rows)
	}
	for _, keys := range [][]string{{"3"}, {"1", "one", "3"}} {
		err := s.Lookup("user")(t.Context(), keys, func(replhub.Event) error { return nil })
		if err == nil || errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "max_payload") {
			t.Errorf("a row that is too large, looked up by %v: %v", keys, err)
		}
	}
}
