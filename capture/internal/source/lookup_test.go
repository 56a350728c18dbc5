package source

import (
	"cmp"
	"errors"
	"reflect"
	"slices"
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

// A key that the column cannot hold is not taken for one without a row: all rows are to be
// read.
func TestLookupOfAnotherType(t *testing.T) {
	d := newDatabase(t, "CREATE TABLE users (id int PRIMARY KEY)", "INSERT INTO users VALUES (1)")
	s := newSnapshots(t, d, selection.Config{Tables: []string{"public.users=user"}})
	err := s.Lookup("user")(t.Context(), []string{"1", "one"}, func(replhub.Event) error { return nil })
	if !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("looked up a text in a column of numbers: %v", err)
	}
	if rows := lookedUp(t, s, "user", "1", "2"); len(rows) != 1 || rows[0].Key != "1" {
		t.Errorf("looked up %v", rows)
	}
}
