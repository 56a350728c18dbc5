package source

import (
	"testing"

	"github.com/replhub/replhub/capture/internal/selection"
)

// The planner's number is near the truth once the tables were analyzed, also of the
// partitions of a table and of several tables.
func TestCount(t *testing.T) {
	d := newDatabase(t,
		"CREATE TABLE users (id int PRIMARY KEY)", "INSERT INTO users SELECT generate_series(1, 3000)",
		"CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id)",
		"CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (1000)",
		"CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (1000) TO (10000)",
		"INSERT INTO parts SELECT generate_series(1, 2000)",
		"ANALYZE",
	)
	s := newSnapshots(t, d, selection.Config{Tables: []string{"public.users=user", "public.parts=part", "public.nothing=nothing"}})
	for entity, want := range map[string]uint64{"user": 3000, "part": 2000, "nothing": 0, "other": 0} {
		got, err := s.Count(entity)(t.Context())
		if err != nil || got < want*9/10 || got > want*11/10 {
			t.Errorf("about %d rows of %s, want %d: %v", got, entity, want, err)
		}
	}
}
