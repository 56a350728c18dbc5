package record

import (
	"slices"
	"testing"
)

// A gap is remembered once, until the lane begins behind it.
func TestGaps(t *testing.T) {
	var s State
	for _, step := range []struct {
		gap   Gap
		first uint64
		want  []Gap
	}{
		{Gap{5, 9}, 1, []Gap{{5, 9}}},
		{Gap{6, 7}, 1, []Gap{{5, 9}}},
		{Gap{20, 20}, 1, []Gap{{5, 9}, {20, 20}}},
		{Gap{18, 22}, 1, []Gap{{5, 9}, {18, 22}}},
		{Gap{30, 31}, 10, []Gap{{18, 22}, {30, 31}}},
	} {
		before := slices.Clone(s.Gaps)
		next := s.WithGap(step.gap, step.first)
		if !slices.Equal(next.Gaps, step.want) {
			t.Fatalf("with %v: %v, want %v", step.gap, next.Gaps, step.want)
		}
		if !slices.Equal(s.Gaps, before) {
			t.Fatal("the state before has changed")
		}
		s = next
	}
	if s.Explains(17) || !s.Explains(18) || !s.Explains(22) || s.Explains(23) {
		t.Error("explains the wrong sequences")
	}
	for i := range uint64(100) {
		s = s.WithGap(Gap{100 + 2*i, 100 + 2*i}, 0)
	}
	if len(s.Gaps) != maxGaps || !s.Explains(298) {
		t.Errorf("%d gaps", len(s.Gaps))
	}
}
