package captured_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/replhub/replhub/internal/captured"
	"github.com/replhub/replhub/subjects"
)

// Each slot has an entity of its own, which is a valid name.
func TestEntity(t *testing.T) {
	long := strings.Repeat("a", 63)
	seen := make(map[string]string)
	for _, slot := range []string{"users", "a", long, long[:62] + "b", long[:62]} {
		entity := captured.Entity(slot)
		if _, err := subjects.ParseName(entity); err != nil {
			t.Errorf("%s: %v", slot, err)
		}
		if other, taken := seen[entity]; taken {
			t.Errorf("%s and %s have the same entity", slot, other)
		}
		seen[entity] = slot
		if subject := captured.Subject(slot); !captured.IsRecord(subject) {
			t.Errorf("%s is not taken for a record's subject", subject)
		}
	}
	for _, other := range []string{"db.user.update", "db.capture-users.delete", "sub.capture-users.update"} {
		if captured.IsRecord(other) {
			t.Errorf("%s is taken for a record's subject", other)
		}
	}
}

// Positions are ordered by commit, then by change, then by number; and a header carries
// them.
func TestPositions(t *testing.T) {
	ascending := []captured.Position{
		{},
		{Commit: 1, Change: 9, Number: 9},
		{Commit: 2},
		{Commit: 2, Change: 1},
		{Commit: 2, Change: 1, Number: 1},
		{Commit: 2, Change: 2},
		{Commit: 0x16_B374D848, Change: 0x16_B3740000, Number: 1<<32 - 1},
		{Commit: 1<<64 - 1, Change: 1<<64 - 1},
	}
	for i, at := range ascending {
		got, own, err := captured.OwnMark("capture-a", captured.Mark("capture-a", at))
		if err != nil || !own || got != at {
			t.Errorf("%+v became %+v (%v, %v)", at, got, own, err)
		}
		for j, other := range ascending {
			if got, want := at.Compare(other), (i-j)/max(1, max(i-j, j-i)); got != want {
				t.Errorf("%+v with %+v: %d, want %d", at, other, got, want)
			}
		}
	}
	if _, own, err := captured.OwnMark("capture-a", captured.Mark("capture-ab", ascending[1])); own || err != nil {
		t.Errorf("another capture's mark is its own (%v)", err)
	}
	for _, bad := range []string{"capture-a ", "capture-a 1.2", "capture-a 1.2.x", "capture-a 1.2.3.4", "capture-a 1.2.100000000"} {
		if _, own, err := captured.OwnMark("capture-a", bad); own || err == nil {
			t.Errorf("%q is a position", bad)
		}
	}
}

// A record says what it said when it is read again, and one of a newer version is
// refused.
func TestRecordForm(t *testing.T) {
	r := captured.Record{
		ID: "i", Writer: "w", System: "7", Timeline: 2, Position: captured.Position{Commit: 0x1_0000_00AB, Change: 3, Number: 4},
		From: 9, Confirm: 0x1_0000_00FF, Lift: 5,
	}.WithEntity("b").WithEntity("a").WithEntity("b").WithTruncated("public.t").WithTruncated("public.t")
	data, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := captured.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	r.Form = 1
	if diff := cmp.Diff(r, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"a", "b"}, got.Entities); diff != "" {
		t.Error(diff)
	}
	if !regexp.MustCompile(`"confirm":"1/FF"`).Match(data) {
		t.Errorf("%s", data)
	}
	if _, err := captured.Decode([]byte(`{"v":2}`)); !errors.Is(err, captured.ErrNewer) {
		t.Errorf("a newer form: %v", err)
	}
	for _, bad := range []string{
		``, `[]`, `{}`, `{"id":42}`, `{"v":1,"id":"i"}`, `{"v":1,"system":"7"}`, `{"id":"i","system":"7"}`,
		`{"v":1,"id":"i","system":"7","confirm":"x"}`, `{"v":1,"id":"i","system":"7","confirm":"1/100000000"}`,
	} {
		if _, err := captured.Decode([]byte(bad)); !errors.Is(err, captured.ErrForeign) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
