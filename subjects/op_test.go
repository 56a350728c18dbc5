package subjects_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/replhub/replhub/subjects"
)

func TestParseOp(t *testing.T) {
	want := map[subjects.Op]string{
		subjects.Create: "create", subjects.Read: "read", subjects.Update: "update", subjects.Delete: "delete",
	}
	for _, op := range subjects.Ops() {
		got, err := subjects.ParseOp(want[op])
		if err != nil || got != op || op.String() != want[op] {
			t.Errorf("%d: parsed %v, %v; prints %q", op, got, err, op)
		}
	}
	for _, s := range []string{"", "Create", "rename", "create ", "create.x", "op(0)"} {
		_, err := subjects.ParseOp(s)
		var opErr *subjects.OpError
		if !errors.As(err, &opErr) || opErr.Value != s {
			t.Errorf("ParseOp(%q): %v, want an *OpError", s, err)
		}
	}
	if got := subjects.Op(7).String(); got != "op(7)" {
		t.Errorf("an unknown op prints %q", got)
	}
}

func TestOpSet(t *testing.T) {
	set := subjects.NewOpSet(subjects.Delete, subjects.Create, subjects.Delete, 0, 200)
	if want := []subjects.Op{subjects.Create, subjects.Delete}; !slices.Equal(set.Ops(), want) {
		t.Errorf("ops %v, want %v", set.Ops(), want)
	}
	if set.Has(subjects.Update) || set.Has(0) || set.Has(200) || !set.Has(subjects.Delete) {
		t.Errorf("%s has the wrong ops", set)
	}
	if got := subjects.DefaultOps.String(); got != "create,update,delete" {
		t.Errorf("default ops are %s", got)
	}
	if got := subjects.NewOpSet().Ops(); len(got) != 0 {
		t.Errorf("the empty set holds %v", got)
	}
}
