package inbox_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/inbox"
)

// Members that no column takes, and columns without a member, are counted for each
// entity and logged once.
func TestUnmappedIsTold(t *testing.T) {
	onEach(t, func(t *testing.T, dialect database.Dialect) {
		var log bytes.Buffer
		r := newReplica(t, inbox.Config{Dialect: dialect, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		create(t, r.DB, "CREATE TABLE u (id varchar(64) PRIMARY KEY, name varchar(64), city varchar(64), zip varchar(64), tags varchar(64))")
		table, err := r.inbox.NewTable(inbox.TableConfig{Table: "u", Columns: []inbox.Column{
			{Name: "name"}, {Name: "city", Path: "address.city"}, {Name: "zip", Path: "address.zip", Default: "-"}, {Name: "tags"},
		}})
		if err != nil {
			t.Fatal(err)
		}
		apply := func(entity string, seq uint64, op replhub.Op, payload string) {
			d := user(op, "k"+entity, seq)
			d.Entity, d.Data = entity, []byte(payload)
			if _, err := r.inbox.Replicate(t.Context(), r.DB, d, table); err != nil {
				t.Error(err)
			}
		}
		apply("user", 1, replhub.Create, `{"id":"1","name":"a","email":"x","tags":{"any":1},"address":{"city":"c","street":{"n":1}}}`)
		apply("user", 2, replhub.Update, `{"id":"1","email":"x","address":null,"tags":[]}`)
		apply("user", 2, replhub.Update, `{"id":"1","stale":"x"}`)
		apply("user", 3, replhub.Delete, `{"id":"1","deleted":"x"}`)
		apply("guest", 4, replhub.Create, `{"email":"x","name":"g","address":{"city":"c","zip":"z"},"tags":null}`)
		want := []inbox.Unmapped{
			{Entity: "guest", Member: "email", Deliveries: 1},
			{Entity: "user", Member: "address.street", Deliveries: 1},
			{Entity: "user", Member: "address.zip", Column: "zip", Deliveries: 1},
			{Entity: "user", Member: "email", Deliveries: 2},
			{Entity: "user", Member: "name", Column: "name", Deliveries: 1},
		}
		if got := table.Unmapped(); !slices.Equal(got, want) {
			t.Errorf("counted\n%+v, want\n%+v", got, want)
		}
		if n := strings.Count(log.String(), "\n"); n != len(want) {
			t.Errorf("%d lines for %d names:\n%s", n, len(want), &log)
		}
	})
}

// Payloads whose members are names without end are bounded.
func TestUnmappedIsBounded(t *testing.T) {
	var log bytes.Buffer
	r := newReplica(t, inbox.Config{Dialect: database.SQLite, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	var payload strings.Builder
	for n := range 1500 {
		fmt.Fprintf(&payload, `,"m%d%s":1`, n, strings.Repeat("x", 200))
	}
	d := user(replhub.Create, "k", 1)
	d.Data = []byte(`{"name":"n"` + payload.String() + `}`)
	if _, err := r.inbox.Replicate(t.Context(), r.DB, d, r.users); err != nil {
		t.Fatal(err)
	}
	got := r.users.Unmapped()
	if len(got) != 1001 || got[0] != (inbox.Unmapped{Deliveries: 500}) {
		t.Errorf("%d names, first %+v", len(got), got[0])
	}
	if len(got[1].Member) > 100 || strings.Count(log.String(), "\n") > 1001 {
		t.Errorf("a name of %d bytes, %d lines", len(got[1].Member), strings.Count(log.String(), "\n"))
	}
}
