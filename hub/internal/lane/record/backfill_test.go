package record_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/internal/contract"
)

func backfill(id, filter string) record.Backfill {
	return record.Backfill{ID: id, Filter: filter, At: pos(900), Began: began()}
}

// A backfill changes nothing of its interest, and replaces the fill of rows that
// was under way for it, wherever that stands.
func TestStateWithABackfill(t *testing.T) {
	users, tenants := interest("u", "user", 1), interest("t", "tenant", 1)
	users.Rev = 2
	have := record.State{Interests: []record.Interest{users, tenants}, Pos: mark(900), Phase: record.Live}
	one := have.Backfill(users, backfill("1", "key == 'a'"))
	if diff := cmp.Diff(have.Interests, one.Interests); diff != "" || !one.Live("u") || one.Pos != have.Pos || one.Phase != record.Live {
		t.Errorf("live %v, phase %s, interests (-want +got):\n%s", one.Live("u"), one.Phase, diff)
	}
	want := &record.Snapshot{ID: "1", Filter: "key == 'a'", Asked: pos(900), Rev: 2, Began: began()}
	if diff := cmp.Diff(want, one.Rows("u")); diff != "" || one.Rows("t") != nil || have.Rows("u") != nil {
		t.Errorf("rows (-want +got):\n%s", diff)
	}

	moved := one.Backfill(tenants, backfill("2", "")).InFill(0).AdvancedRow(7, "k7", "accounts")
	if got := moved.Rows("u"); got.ID != "1" || got.Filter != want.Filter || got.Row != 7 {
		t.Errorf("a row later: %+v", got)
	}
	replaced := moved.Backfill(users, backfill("3", ""))
	if got := replaced.Rows("u"); len(replaced.Fills) != 2 || got.ID != "3" || got.Row != 0 || replaced.Phase != record.Live {
		t.Errorf("phase %s, fills %+v", replaced.Phase, replaced.Fills)
	}
	other := moved.Backfill(tenants, backfill("3", "")) // of another than the one under way
	if other.Phase != record.Filling || other.Fills[0].RowsID() != "1" || other.Rows("t").ID != "3" {
		t.Errorf("phase %s, fills %+v", other.Phase, other.Fills)
	}

	done := moved.RowsDone(began().Add(time.Second))
	ended := []record.Filled{{ID: "1", Entity: "user", Rows: 7, Began: began(), Ended: began().Add(time.Second)}}
	if diff := cmp.Diff(ended, done.Filled); diff != "" || done.Rows("u") != nil || done.Rows("t") == nil {
		t.Errorf("filled (-want +got):\n%s", diff)
	}
	for range 9 {
		done = done.Backfill(users, backfill("more", "")).InFill(1).RowsDone(began())
	}
	if len(done.Filled) != 4 {
		t.Errorf("%d ended fills are remembered", len(done.Filled))
	}
}

func TestOutdatedRows(t *testing.T) {
	for _, tt := range []struct {
		began, now int
		want       bool
	}{{1, 1, false}, {1, 2, true}, {3, 3, false}, {0, 1, false}, {0, 2, true}} { // 0: of a hub that did not say
		if got := (&record.Snapshot{Rev: tt.began}).Outdated(record.Interest{Rev: tt.now}); got != tt.want {
			t.Errorf("began under %d, now %d: %v", tt.began, tt.now, got)
		}
	}
}

// A hub that knows no backfills must not take one for the interest's first
// snapshot, and one that does reads its record back as it was.
func TestRecordOfABackfill(t *testing.T) {
	users := interest("u", "user", 1)
	s := record.State{Interests: []record.Interest{users}, Pos: mark(900), Phase: record.Live}.Backfill(users, backfill("1", "key == 'a'"))
	data, err := record.Encode(s)
	if err != nil {
		t.Fatal(err)
	}
	read, err := record.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s.Fills, read.Fills); diff != "" || read.Form != 4 {
		t.Errorf("form %d, fills (-want +got):\n%s", read.Form, diff)
	}
}

// A record with a backfill of keys has a form of its own, whatever else is in it: a hub that
// does not know keys would copy other rows.
func TestRecordOfABackfillOfKeys(t *testing.T) {
	s := record.State{Fills: []record.Fill{{IDs: []string{"i"}, Snapshot: &record.Snapshot{ID: "b", Keys: []string{"a", "k"}}}}}
	raw, err := record.Encode(s)
	if err != nil {
		t.Fatal(err)
	}
	back, err := record.Decode(raw)
	if err != nil || back.Form != 6 || len(back.Fills[0].Snapshot.Keys) != 2 {
		t.Errorf("%s, read as %+v, %v", raw, back, err)
	}
	in := record.Interest{Definition: contract.Definition{Ops: []string{"create", "update"}}}
	if ops := in.ForRows(s.Fills[0].Snapshot).Ops; len(ops) != 1 {
		t.Errorf("rows of an interest without deletes are judged as %v", ops)
	}
}
