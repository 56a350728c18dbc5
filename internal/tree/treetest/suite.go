package treetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/replhub/replhub/internal/tree"
)

// Run runs the whole suite, each test on a tree of its own.
func Run(t *testing.T, factory Factory) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, Backend)
	}{
		{"PutGetDelete", putGetDelete},
		{"CompareAndSet", compareAndSet},
		{"VersionsOutliveDeletion", versionsOutliveDeletion},
		{"IsTheModel", isTheModel},
		{"EmptyValue", emptyValue},
		{"RecordsBelowARecord", recordsBelowARecord},
		{"RefusedWrites", refusedWrites},
		{"SnapshotFollowsOthers", snapshotFollowsOthers},
		{"SnapshotIsImmutable", snapshotIsImmutable},
		{"ChangedWakesEveryone", changedWakesEveryone},
		{"ThousandRecords", thousandRecords},
		{"BurstOfChanges", burstOfChanges},
		{"MemberAppearsAndLeaves", memberAppearsAndLeaves},
		{"MemberOfADeadProcessVanishes", memberOfADeadProcessVanishes},
		{"MemberIsHeldByOne", memberIsHeldByOne},
		{"MemberComesBackWhenDeleted", memberComesBackWhenDeleted},
		{"AwayAtStart", awayAtStart},
		{"Restart", restart},
		{"ContextEndsWhilePaused", contextEndsWhilePaused},
		{"CallsWithoutRun", callsWithoutRun},
		{"RunEndsWithoutLeaks", runEndsWithoutLeaks},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, factory(t)) })
	}
}

// open returns a running map that has loaded.
func open(t *testing.T, b Backend) Map {
	t.Helper()
	m := b.Open(t)
	Start(t, m)
	Loaded(t, m)
	return m
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func want(t *testing.T, step string, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Fatalf("%s: error %v, want %v", step, err, target)
	}
}

func putGetDelete(t *testing.T, b Backend) {
	m, ctx := open(t, b), within(t)
	_, err := m.Get(ctx, "entities/user/sharing")
	want(t, "get what is absent", err, tree.ErrNotFound)
	want(t, "delete what is absent", m.Delete(ctx, "entities/user/sharing", tree.Any), tree.ErrNotFound)
	v1 := MustPut(t, m, "entities/user/sharing", "one", tree.Any)
	v2 := MustPut(t, m, "entities/user/sharing", "two", tree.Any)
	if v2 <= v1 {
		t.Errorf("versions %d, %d: must grow", v1, v2)
	}
	e, err := m.Get(ctx, "entities/user/sharing")
	if err != nil || string(e.Value) != "two" || e.Version != v2 {
		t.Fatalf("got %q at %d, %v; want two at %d", e.Value, e.Version, err, v2)
	}
	if err := m.Delete(ctx, "entities/user/sharing", tree.Any); err != nil {
		t.Fatal(err)
	}
	_, err = m.Get(ctx, "entities/user/sharing")
	want(t, "get what was deleted", err, tree.ErrNotFound)
	want(t, "delete twice", m.Delete(ctx, "entities/user/sharing", tree.Any), tree.ErrNotFound)
}

func compareAndSet(t *testing.T, b Backend) {
	m, other, ctx := open(t, b), open(t, b), within(t)
	const path = "services/sharing"
	put := func(value string, expect tree.Version) error {
		_, err := m.Put(ctx, path, []byte(value), expect)
		return err
	}
	want(t, "put at a version, absent", put("x", 1), tree.ErrConflict)
	v1 := MustPut(t, m, path, "one", tree.Absent)
	want(t, "put as absent, present", put("x", tree.Absent), tree.ErrConflict)
	v2 := MustPut(t, other, path, "two", v1)
	want(t, "put at an old version", put("x", v1), tree.ErrConflict)
	want(t, "delete at an old version", m.Delete(ctx, path, v1), tree.ErrConflict)
	want(t, "delete as absent, present", m.Delete(ctx, path, tree.Absent), tree.ErrConflict)
	e, err := m.Get(ctx, path)
	if err != nil || string(e.Value) != "two" || e.Version != v2 {
		t.Fatalf("got %q at %d, %v; want two at %d", e.Value, e.Version, err, v2)
	}
	if err := m.Delete(ctx, path, v2); err != nil {
		t.Fatal(err)
	}
	MustPut(t, m, path, "three", tree.Absent)
}

// versionsOutliveDeletion: a record that was deleted and made again is not at
// the version of its predecessor.
func versionsOutliveDeletion(t *testing.T, b Backend) {
	m, ctx := open(t, b), within(t)
	const path = "services/sharing"
	v1 := MustPut(t, m, path, "one", tree.Absent)
	if err := m.Delete(ctx, path, v1); err != nil {
		t.Fatal(err)
	}
	v2 := MustPut(t, m, path, "one", tree.Absent)
	if v2 <= v1 {
		t.Errorf("version %d after %d: must grow", v2, v1)
	}
	_, err := m.Put(ctx, path, []byte("x"), v1)
	want(t, "put at the predecessor's version", err, tree.ErrConflict)
	want(t, "delete at the predecessor's version", m.Delete(ctx, path, v1), tree.ErrConflict)
}

func emptyValue(t *testing.T, b Backend) {
	m := open(t, b)
	v := MustPut(t, m, "entities/user/audit", "", tree.Absent)
	s := Await(t, m, "empty record", Has("entities/user/audit", ""))
	if got := s.Entries["entities/user/audit"].Version; got != v {
		t.Errorf("version %d, want %d", got, v)
	}
	if e, err := m.Get(within(t), "entities/user/audit"); err != nil || len(e.Value) != 0 {
		t.Errorf("got %q, %v", e.Value, err)
	}
}

// recordsBelowARecord: a record may have records below it. Each changes and goes
// without the other.
func recordsBelowARecord(t *testing.T, b Backend) {
	m, other, ctx := open(t, b), open(t, b), within(t)
	MustPut(t, other, "groups/a/one", "1", tree.Any)
	Await(t, m, "a record below", Has("groups/a/one", "1"))
	MustPut(t, other, "groups/a", "above", tree.Any)
	Await(t, m, "the record above", Has("groups/a", "above"))
	MustPut(t, other, "groups/a/two", "2", tree.Any)
	s := Await(t, m, "another record below", Has("groups/a/two", "2"))
	if !Has("groups/a", "above")(s) || !Has("groups/a/one", "1")(s) {
		t.Errorf("%s", describe(s))
	}
	e, err := m.Get(ctx, "groups/a")
	if err != nil || string(e.Value) != "above" {
		t.Fatalf("got %q, %v", e.Value, err)
	}
	if _, err := m.Put(ctx, "groups/a", nil, e.Version); err != nil {
		t.Fatal(err)
	}
	Await(t, other, "the record above emptied", Has("groups/a", ""))
	_, err = m.Put(ctx, "groups/a", []byte("late"), e.Version)
	want(t, "put at an old version", err, tree.ErrConflict)
	if err := m.Delete(ctx, "groups/a/one", tree.Any); err != nil {
		t.Fatal(err)
	}
	s = Await(t, other, "the record below gone", Lacks("groups/a/one"))
	if !Has("groups/a/two", "2")(s) || len(m.Alarms()) > 0 {
		t.Errorf("%s, alarms %q", describe(s), m.Alarms())
	}
}

func refusedWrites(t *testing.T, b Backend) {
	m, ctx := open(t, b), within(t)
	for _, path := range []string{
		"", "/", "services", "services/", "/services/a", "services/a/b", "services//a", "services/a b",
		"services/*", "services/>", "services/a.b", "services/\x00", "services/\xff", "services/a\r\nb",
		"services/\u0430", "other/a", "entities/user", "entities/user/a/b", "../a/b", "services/..",
	} {
		_, err := m.Put(ctx, path, nil, tree.Any)
		want(t, fmt.Sprintf("put %q", path), err, b.ErrPath())
		_, err = m.Get(ctx, path)
		want(t, fmt.Sprintf("get %q", path), err, b.ErrPath())
		want(t, fmt.Sprintf("delete %q", path), m.Delete(ctx, path, tree.Any), b.ErrPath())
	}
	_, err := m.Put(ctx, "services/a", make([]byte, 256<<10+1), tree.Any)
	want(t, "put too much", err, b.ErrValue())
	MustPut(t, m, "services/a", strings.Repeat("x", 256<<10), tree.Any)
	s := Await(t, m, "the largest record", func(s *tree.Snapshot) bool { return len(s.Entries) > 0 })
	if len(s.Entries) != 1 || len(s.Entries["services/a"].Value) != 256<<10 {
		t.Errorf("%s", describe(s))
	}
}

func snapshotFollowsOthers(t *testing.T, b Backend) {
	m, other, ctx := open(t, b), open(t, b), within(t)
	if n := len(m.Snapshot().Entries); n != 0 {
		t.Fatalf("%d records in an empty tree", n)
	}
	MustPut(t, other, "entities/user/sharing", "a", tree.Any)
	Await(t, m, "a new record", Has("entities/user/sharing", "a"))
	MustPut(t, other, "entities/user/audit", "b", tree.Any)
	Await(t, m, "its sibling", Has("entities/user/audit", "b"))
	v := MustPut(t, other, "entities/user/sharing", "c", tree.Any)
	s := Await(t, m, "the change", Has("entities/user/sharing", "c"))
	if got := s.Entries["entities/user/sharing"].Version; got != v {
		t.Errorf("version %d in the snapshot, %d by Put", got, v)
	}
	if err := other.Delete(ctx, "entities/user/sharing", v); err != nil {
		t.Fatal(err)
	}
	s = Await(t, m, "the deletion", Lacks("entities/user/sharing"))
	if !Has("entities/user/audit", "b")(s) {
		t.Error("the sibling went too")
	}
	MustPut(t, other, "entities/user/sharing", "d", tree.Absent)
	Await(t, m, "the second coming", Has("entities/user/sharing", "d"))
	MustPut(t, other, "entities/user/sharing", "e", tree.Any)
	Await(t, m, "a change after it", Has("entities/user/sharing", "e"))
}

func snapshotIsImmutable(t *testing.T, b Backend) {
	m := open(t, b)
	MustPut(t, m, "services/a", "1", tree.Any)
	old := Await(t, m, "a record", Has("services/a", "1"))
	MustPut(t, m, "services/a", "2", tree.Any)
	MustPut(t, m, "services/b", "1", tree.Any)
	Await(t, m, "both changes", func(s *tree.Snapshot) bool { return Has("services/a", "2")(s) && Has("services/b", "1")(s) })
	if len(old.Entries) != 1 || string(old.Entries["services/a"].Value) != "1" {
		t.Errorf("the old snapshot became %s", describe(old))
	}
}

func changedWakesEveryone(t *testing.T, b Backend) {
	m := open(t, b)
	first, second := m.Changed(), m.Changed()
	MustPut(t, m, "services/a", "1", tree.Any)
	deadline := time.After(patience)
	for _, ch := range []<-chan struct{}{first, second} {
		select {
		case <-ch:
		case <-deadline:
			t.Fatal("a waiter was not woken")
		}
	}
	Await(t, m, "the change", Has("services/a", "1"))
	select {
	case <-m.Changed():
		t.Error("woken without a change")
	default:
	}
}

func thousandRecords(t *testing.T, b Backend) {
	writer := open(t, b)
	const records = 1000
	for i := range records {
		MustPut(t, writer, fmt.Sprintf("entities/e%d/s%d", i%50, i), fmt.Sprint(i), tree.Absent)
	}
	late := open(t, b)
	full := func(s *tree.Snapshot) bool { return len(s.Entries) == records }
	for _, m := range []Map{writer, late} {
		s := Await(t, m, "all records", full)
		for i := range records {
			if path := fmt.Sprintf("entities/e%d/s%d", i%50, i); string(s.Entries[path].Value) != fmt.Sprint(i) {
				t.Fatalf("%s holds %q", path, s.Entries[path].Value)
			}
		}
	}
	// Never torn: a map shows all or nothing at its first load.
	if n := len(late.Snapshot().Entries); n != records {
		t.Errorf("%d records", n)
	}
}

// burstOfChanges: many changes at once arrive in full, soon.
func burstOfChanges(t *testing.T, b Backend) {
	m, other := open(t, b), open(t, b)
	const records, rounds = 60, 3
	for round := range rounds {
		for i := range records {
			MustPut(t, other, fmt.Sprintf("services/s%d", i), fmt.Sprint(round), tree.Any)
		}
	}
	Await(t, m, "the last round", func(s *tree.Snapshot) bool {
		for i := range records {
			if !Has(fmt.Sprintf("services/s%d", i), fmt.Sprint(rounds-1))(s) {
				return false
			}
		}
		return true
	})
}
