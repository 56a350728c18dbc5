package source

import (
	"testing"

	"github.com/replhub/replhub/capture/internal/selection"
)

// The planner's number is near the truth once the tables were analyzed, also of the
// partitions of a table. Tables that inherit from it have an entity of their own.
func TestCount(t *testing.T) {
	d := newDatabase(t,
		"CREATE TABLE users (id int PRIMARY KEY)", "INSERT INTO users SELECT generate_series(1, 3000)",
		"CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id)",
		"CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (1000)",
		"CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (1000) TO (10000)",
		"INSERT INTO parts SELECT generate_series(1, 2000)",
		"CREATE TABLE old_users () INHERITS (users)", "INSERT INTO old_users SELECT generate_series(1, 9000)",
		"ANALYZE",
	)
	s := newSnapshots(t, d, selection.Config{Tables: []string{"public.users=user", "public.parts=part"}})
	for entity, want := range map[string]uint64{"user": 3000, "part": 2000} {
		got, err := s.Count(entity)(t.Context())
		if err != nil || got < want*9/10 || got > want*11/10 {
			t.Errorf("about %d rows of %s, want %d: %v", got, entity, want, err)
		}
	}
	if n, err := s.Count("other")(t.Context()); err == nil {
		t.Errorf("%d rows of no table", n)
	}
}
