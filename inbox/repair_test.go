package inbox_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/inbox"
)

// Under each policy, what a snapshot's row that is not older brings is applied; an
// older one stays stale, and so does one against a delete.
func TestRowOfASnapshotRepairs(t *testing.T) {
	const a, b = "accounts", "billing"
	type delivered struct {
		row     bool
		op      replhub.Op
		seq     uint64
		origin  string
		version int64
		want    inbox.Outcome
	}
	cases := map[string][]delivered{
		"of the version that was applied": {
			{false, replhub.Update, 5, a, 3, inbox.Applied},
			{true, replhub.Create, 9, a, 3, inbox.Applied},
			{true, replhub.Create, 9, a, 3, inbox.Applied},
			{false, replhub.Update, 5, a, 3, inbox.Duplicate},
			{false, replhub.Update, 10, a, 4, inbox.Applied},
		},
		"of the position that was applied, without versions": {
			{false, replhub.Update, 5, a, 0, inbox.Applied},
			{true, replhub.Create, 5, a, 0, inbox.Applied},
			{false, replhub.Update, 5, a, 0, inbox.Duplicate},
		},
		"of another origin than the last change": {
			{false, replhub.Update, 5, b, 0, inbox.Applied},
			{true, replhub.Create, 5, a, 0, inbox.Applied},
		},
		"of an earlier position": {
			{false, replhub.Update, 5, a, 0, inbox.Applied},
			{true, replhub.Create, 4, a, 0, inbox.Stale},
		},
		"of a lower version": {
			{false, replhub.Update, 5, a, 3, inbox.Applied},
			{true, replhub.Create, 4, a, 2, inbox.Stale},
		},
		"of an earlier position and the same version": {
			{false, replhub.Update, 5, a, 3, inbox.Applied},
			{true, replhub.Create, 4, a, 3, inbox.Applied},
			// The row has the place of the event: what is older stays old.
			{true, replhub.Create, 4, b, 0, inbox.Stale},
		},
		"that was deleted": {
			{false, replhub.Delete, 5, a, 0, inbox.Applied},
			{true, replhub.Create, 4, a, 0, inbox.Stale},
			{true, replhub.Create, 5, a, 0, inbox.Duplicate},
			{true, replhub.Create, 6, a, 0, inbox.Applied},
		},
		"that was written by hand after its delete": {
			{false, replhub.Delete, 5, a, 0, inbox.Applied},
			{true, replhub.Delete, 4, a, 0, inbox.Stale},
			{true, replhub.Delete, 5, a, 0, inbox.Applied},
			{false, replhub.Create, 6, a, 0, inbox.Applied},
			{true, replhub.Delete, 5, a, 0, inbox.Stale},
		},
		"that was deleted with a version": {
			{false, replhub.Delete, 5, a, 3, inbox.Applied},
			{true, replhub.Create, 4, a, 3, inbox.Duplicate},
			{true, replhub.Create, 4, a, 2, inbox.Stale},
			{true, replhub.Create, 6, a, 4, inbox.Applied},
		},
	}
	policies := map[string]inbox.Policy{"default": nil, "newest": inbox.Newest, "position": inbox.ByPosition, "time": inbox.ByTime, "version": inbox.ByVersion}
	onFew(t, func(t *testing.T, dialect database.Dialect) {
		for name, policy := range policies {
			r := newReplica(t, inbox.Config{Dialect: dialect, Policy: policy, Table: "inbox_" + name})
			for what, steps := range cases {
				if policy != nil && name == "version" && strings.HasPrefix(what, "of an earlier position and") {
					continue // a row without a version loses for that
				}
				for n, s := range steps {
					d := user(s.op, name+what[:min(40, len(what))], s.seq)
					d.Origin, d.Version, d.ID = s.origin, s.version, fmt.Sprintf("n%d", n)
					d.Time = time.Unix(int64(s.seq), 0)
					if s.op != replhub.Delete {
						d.Data = fmt.Appendf(nil, `{"name":%q}`, d.ID)
					}
					if s.row {
						asRow(d)
					}
					outcome, err := r.inbox.Replicate(t.Context(), r.DB, d, r.users)
					if err != nil || outcome != s.want {
						t.Errorf("%s, a row %s: step %d: %v, %v, want %v", name, what, n, outcome, err, s.want)
					}
					if got := r.rows(t)[d.Key]; s.want == inbox.Applied && s.op != replhub.Delete && got != d.ID {
						t.Errorf("%s, a row %s: step %d: the user is %q", name, what, n, got)
					}
				}
			}
			r.exec(t, "DROP TABLE users")
			r.exec(t, "DROP TABLE effects")
		}
	})
}

// A column that was added and a row that was lost come back with the snapshot that
// was asked for again, though not one event came between.
func TestSecondSnapshotRepairs(t *testing.T) {
	onFew(t, func(t *testing.T, dialect database.Dialect) {
		r := newReplica(t, inbox.Config{Dialect: dialect})
		create(t, r.DB, "CREATE TABLE u (id varchar(64) PRIMARY KEY, name varchar(64))")
		mapped := []inbox.Column{{Name: "name"}, {Name: "phone"}}
		apply := func(columns []inbox.Column, version int64) {
			t.Helper()
			table, err := r.inbox.NewTable(inbox.TableConfig{Table: "u", Columns: columns})
			if err != nil {
				t.Fatal(err)
			}
			d := asRow(user(replhub.Create, "1", 9))
			d.Version, d.Data = version, []byte(`{"name":"Ada","phone":"+1"}`)
			if outcome, err := r.inbox.Replicate(t.Context(), r.DB, d, table); err != nil || outcome != inbox.Applied {
				t.Errorf("version %d: %v, %v", version, outcome, err)
			}
		}
		for _, version := range []int64{3, 0} {
			apply(mapped[:1], version)
			create(t, r.DB, "ALTER TABLE u ADD COLUMN phone varchar(64)")
			apply(mapped, version)
			if got := line(t, r.DB, "SELECT id, name, phone FROM u"); got != "1|Ada|+1" {
				t.Errorf("after a column was added there is %q", got)
			}
			create(t, r.DB, "DELETE FROM u")
			apply(mapped, version)
			if got := line(t, r.DB, "SELECT id, name, phone FROM u"); got != "1|Ada|+1" {
				t.Errorf("after the rows were lost there is %q", got)
			}
			create(t, r.DB, "ALTER TABLE u DROP COLUMN phone")
		}
	})
}

// A publisher that gives lower versions than it gave is counted, and warned about
// once.
func TestPublisherThatBeganAgain(t *testing.T) {
	for name, policy := range map[string]inbox.Policy{"default": nil, "by version": inbox.ByVersion} {
		t.Run(name, func(t *testing.T) {
			onFew(t, func(t *testing.T, dialect database.Dialect) {
				var log bytes.Buffer
				r := newReplica(t, inbox.Config{Dialect: dialect, Policy: policy, Logger: slog.New(slog.NewTextHandler(&log, nil))})
				for n, s := range []struct {
					seq     uint64
					version int64
					row     bool
					want    inbox.Outcome
				}{
					{5, 7, false, inbox.Applied},
					{4, 6, false, inbox.Stale}, // late, nothing more
					{6, 7, false, inbox.Duplicate},
					{7, 2, false, inbox.Stale},
					{8, 3, true, inbox.Stale},
				} {
					d := user(replhub.Update, "k", s.seq)
					d.Version = s.version
					if s.row {
						asRow(d)
					}
					if outcome, err := r.inbox.Replicate(t.Context(), r.DB, d, r.users); err != nil || outcome != s.want && n != 2 {
						t.Errorf("%s: version %d at %d: %v, %v, want %v", name, s.version, s.seq, outcome, err, s.want)
					}
				}
				if n := r.inbox.Stats().Regressed; n != 2 {
					t.Errorf("%s: counted %d", name, n)
				}
				if n := strings.Count(log.String(), "begin a new generation"); n != 1 || !strings.Contains(log.String(), "origin=accounts") {
					t.Errorf("%s: %d warnings in\n%s", name, n, &log)
				}
			})
		})
	}
}
