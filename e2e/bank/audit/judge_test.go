package audit_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/replhub/replhub/e2e/bank/audit"
)

// source has one account that is there, one that was closed, and their history.
func source() *audit.Source {
	return &audit.Source{
		Changes: map[string]audit.Change{
			"a1": {ID: "a1", Key: "a", N: 1}, "a2": {ID: "a2", Key: "a", N: 2}, "a3": {ID: "a3", Key: "a", N: 3},
			"b1": {ID: "b1", Key: "b", N: 1}, "b2": {ID: "b2", Key: "b", N: 2},
		},
		Rows: map[string]map[string]string{"ledger": {"a": "three"}},
	}
}

// replica is of a service that has done all right.
func replica() *audit.Replica {
	return &audit.Replica{
		Service: "ledger", Ordered: true, Partition: func(string) int { return 0 },
		Rows:    map[string]string{"a": "three"},
		Effects: effects("a1", "b1", "a2", "b2", "a3"),
		Handlings: []audit.Handling{
			handling("one", "a", 1, 10, 20), handling("one", "b", 2, 15, 20), handling("one", "a", 3, 20, 30),
			handling("two", "b", 4, 30, 40), handling("two", "a", 5, 40, 50),
		},
	}
}

func effects(ids ...string) []audit.Effect {
	all := make([]audit.Effect, len(ids))
	for i, id := range ids {
		all[i] = audit.Effect{ID: id, Key: id[:1]}
	}
	return all
}

func handling(who, key string, seq uint64, begin, end int64) audit.Handling {
	return audit.Handling{Instance: who, Key: key, Epoch: 1, Seq: seq, Begin: begin, End: end, Outcome: "applied"}
}

func TestJudge(t *testing.T) {
	cut := func(h audit.Handling) audit.Handling { h.Outcome = audit.Cut; return h }
	batch := func(n int64, h audit.Handling) audit.Handling { h.Batch = n; return h }
	freeze := []audit.Freeze{{Instance: "one", From: 12, To: 18}}
	for _, c := range []struct {
		name    string
		change  func(s *audit.Source, r *audit.Replica)
		freezes []audit.Freeze
		want    map[audit.Kind]int
	}{
		{"all right", func(*audit.Source, *audit.Replica) {}, nil, nil},
		{"a row is missing", func(_ *audit.Source, r *audit.Replica) { delete(r.Rows, "a") }, nil, map[audit.Kind]int{audit.Missing: 1}},
		{"a row is another", func(_ *audit.Source, r *audit.Replica) { r.Rows["a"] = "two" }, nil, map[audit.Kind]int{audit.Different: 1}},
		{"a closed account", func(_ *audit.Source, r *audit.Replica) { r.Rows["b"] = "one" }, nil, map[audit.Kind]int{audit.Resurrected: 1}},
		{"an effect twice", func(_ *audit.Source, r *audit.Replica) { r.Effects = effects("a1", "b1", "a2", "a2", "b2", "a3") }, nil, map[audit.Kind]int{audit.Twice: 1}},
		{"an effect again, late", func(_ *audit.Source, r *audit.Replica) { r.Effects = effects("a1", "b1", "a2", "b2", "a3", "a1") }, nil, map[audit.Kind]int{audit.Twice: 1, audit.Backwards: 1}},
		{"an older effect after a newer", func(_ *audit.Source, r *audit.Replica) { r.Effects = effects("a2", "b1", "a1", "b2", "a3") }, nil, map[audit.Kind]int{audit.Backwards: 1}},
		{"an effect at the position of the one before", func(_ *audit.Source, r *audit.Replica) {
			r.Effects[0].Epoch, r.Effects[2].Epoch, r.Effects[4].Epoch = 1, 2, 2
		}, nil, map[audit.Kind]int{audit.Receding: 1}},
		{"an effect at an older position", func(_ *audit.Source, r *audit.Replica) {
			r.Effects[0].Seq, r.Effects[2].Seq, r.Effects[3].Seq, r.Effects[4].Seq = 7, 5, 1, 8
		}, nil, map[audit.Kind]int{audit.Receding: 1}},
		{"an effect of nothing", func(_ *audit.Source, r *audit.Replica) { r.Effects = effects("a1", "b1", "a2", "b2", "a3", "a4") }, nil, map[audit.Kind]int{audit.Phantom: 1}},
		{"a change without effect", func(_ *audit.Source, r *audit.Replica) { r.Effects = effects("a1", "b1", "b2", "a3") }, nil, map[audit.Kind]int{audit.Lost: 1}},
		{"the same without order", func(_ *audit.Source, r *audit.Replica) { r.Ordered, r.Effects = false, effects("a1", "b1", "b2", "a3") }, nil, nil},
		{"the last change without order", func(_ *audit.Source, r *audit.Replica) { r.Ordered, r.Effects = false, effects("a1", "a2", "b2") }, nil, map[audit.Kind]int{audit.Lost: 1}},
		{"a later change first", func(_ *audit.Source, r *audit.Replica) {
			r.Handlings = []audit.Handling{handling("one", "a", 3, 10, 20), handling("one", "a", 1, 20, 30)}
		}, nil, map[audit.Kind]int{audit.Disordered: 1}},
		{"a later change first, in another epoch", func(_ *audit.Source, r *audit.Replica) {
			late := handling("one", "a", 1, 10, 20)
			late.Epoch = 2
			r.Handlings = []audit.Handling{late, handling("one", "a", 3, 20, 30)}
		}, nil, map[audit.Kind]int{audit.Disordered: 1}},
		{"a change that was done comes again", func(_ *audit.Source, r *audit.Replica) {
			r.Handlings = append(r.Handlings, handling("two", "a", 1, 60, 70))
		}, nil, nil},
		{"a change that was cut comes again, late", func(_ *audit.Source, r *audit.Replica) {
			r.Handlings = []audit.Handling{cut(handling("one", "a", 1, 10, 20)), handling("one", "a", 3, 20, 30), handling("one", "a", 1, 30, 40)}
		}, nil, map[audit.Kind]int{audit.Disordered: 1}},
		{"a batch that was cut comes again", func(_ *audit.Source, r *audit.Replica) {
			r.Handlings = []audit.Handling{
				batch(7, cut(handling("one", "a", 1, 10, 20))), batch(7, cut(handling("one", "a", 3, 10, 20))),
				batch(8, handling("one", "a", 1, 30, 40)), batch(9, handling("one", "a", 3, 40, 50)),
			}
		}, nil, nil},
		{"a batch that was cut, and what is older than it", func(_ *audit.Source, r *audit.Replica) {
			r.Handlings = []audit.Handling{
				batch(7, cut(handling("one", "a", 2, 10, 20))), batch(7, cut(handling("one", "a", 3, 10, 20))),
				batch(8, handling("one", "a", 1, 30, 40)),
			}
		}, nil, map[audit.Kind]int{audit.Disordered: 1}},
		{"a batch that was done, and what is older than its last", func(_ *audit.Source, r *audit.Replica) {
			r.Handlings = []audit.Handling{
				batch(7, handling("one", "a", 1, 10, 20)), batch(7, handling("one", "a", 3, 10, 20)),
				batch(8, handling("one", "a", 2, 30, 40)),
			}
		}, nil, map[audit.Kind]int{audit.Disordered: 1}},
		{"a batch that was frozen, and was done by another meanwhile", func(_ *audit.Source, r *audit.Replica) {
			r.Handlings = []audit.Handling{
				batch(7, handling("one", "a", 1, 10, 50)), batch(7, handling("one", "a", 3, 10, 50)),
				handling("two", "a", 1, 20, 30), handling("two", "a", 3, 30, 40), handling("two", "a", 5, 40, 45),
			}
		}, []audit.Freeze{{Instance: "one", From: 11, To: 49}}, nil},
		{"a delete that leaves nothing", func(s *audit.Source, r *audit.Replica) {
			s.Changes["b2"] = audit.Change{ID: "b2", Key: "b", N: 2, Deleted: true}
			r.Ordered, r.DeletesUnseen, r.Effects = false, true, effects("a1", "a2", "b1", "a3")
		}, nil, nil},
		{"two at a time", func(_ *audit.Source, r *audit.Replica) {
			r.Handlings = append(r.Handlings, handling("two", "c", 6, 19, 25))
		}, nil, map[audit.Kind]int{audit.Overlapping: 3}}, // with both that end, and with one that begins
		{"one that was cut beside another", func(_ *audit.Source, r *audit.Replica) {
			r.Handlings = []audit.Handling{cut(handling("one", "a", 1, 10, 20)), handling("two", "b", 2, 19, 25)}
		}, nil, map[audit.Kind]int{audit.Overlapping: 1}},
		{"two at a time without order", func(_ *audit.Source, r *audit.Replica) {
			r.Ordered = false
			r.Handlings = append(r.Handlings, handling("two", "c", 6, 19, 25))
		}, nil, nil},
		{"two at a time in two partitions", func(_ *audit.Source, r *audit.Replica) {
			r.Partition = func(key string) int { return int(key[0]) }
			r.Handlings = append(r.Handlings, handling("two", "c", 6, 19, 25))
		}, nil, nil},
		{"beside one that was frozen", func(_ *audit.Source, r *audit.Replica) {
			r.Handlings = []audit.Handling{handling("one", "a", 1, 10, 20), handling("two", "b", 2, 15, 25)}
		}, freeze, nil},
		{"beside one that begins as it thaws", func(_ *audit.Source, r *audit.Replica) {
			r.Handlings = []audit.Handling{handling("two", "b", 2, 15, 25), handling("one", "a", 1, 19, 20)}
		}, freeze, nil},
		{"beside one that began long after", func(_ *audit.Source, r *audit.Replica) {
			late := int64(time.Second)
			r.Handlings = []audit.Handling{handling("two", "b", 2, 15, late+5), handling("one", "a", 1, late, late+10)}
		}, freeze, map[audit.Kind]int{audit.Overlapping: 1}},
		{"beside one while another was frozen", func(_ *audit.Source, r *audit.Replica) {
			r.Handlings = []audit.Handling{handling("three", "a", 1, 10, 20), handling("two", "b", 2, 15, 25)}
		}, freeze, map[audit.Kind]int{audit.Overlapping: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, r := source(), replica()
			c.change(s, r)
			v := audit.Judge(s, r, c.freezes)
			if diff := cmp.Diff(c.want, v.Found); diff != "" {
				t.Errorf("(-want +got)\n%s\n%s", diff, strings.Join(v.Details, "\n"))
			}
			if err := v.Err(); (err == nil) != (len(c.want) == 0) {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

func TestJudgeIngest(t *testing.T) {
	for _, c := range []struct {
		published string
		want      map[audit.Kind]int
	}{
		{"a1 b1 a2 b2 a3", nil},
		{"a1 b1 a2 b2 a3 a3", map[audit.Kind]int{audit.Twice: 1}},
		{"a1 b1 a3 b2 a2", map[audit.Kind]int{audit.Backwards: 1}},
		{"a1 b1 a2 b2", map[audit.Kind]int{audit.Lost: 1}},
		{"a1 b1 b2 a3", map[audit.Kind]int{audit.Lost: 1}},
		{"a1 b1 a2 b2 a3 b3", map[audit.Kind]int{audit.Phantom: 1}},
	} {
		v := audit.JudgeIngest(source(), effects(strings.Fields(c.published)...))
		if diff := cmp.Diff(c.want, v.Found); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", c.published, diff)
		}
	}
}

func TestReadJournal(t *testing.T) {
	got, err := audit.ReadJournal("one", strings.NewReader("begin 1 10 1 7 a 1\nbegin 2 11 1 8 b 2\nend 1 20 applied\nbegin 3 21 1 9 a 3\nend 3 25 failed\nbegin 4 2"), 99)
	if err != nil {
		t.Fatal(err)
	}
	want := []audit.Handling{
		{Instance: "one", Key: "a", Epoch: 1, Seq: 7, Begin: 10, End: 20, Batch: 1, Outcome: "applied"},
		{Instance: "one", Key: "b", Epoch: 1, Seq: 8, Begin: 11, End: 99, Batch: 2, Outcome: audit.Cut},
		{Instance: "one", Key: "a", Epoch: 1, Seq: 9, Begin: 21, End: 25, Batch: 3, Outcome: audit.Failed},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for _, bad := range []string{"end 1 20 applied", "begin 1 x 1 7 a 1", "begin 1 10 1 7 a", "what 1", ""} {
		if _, err := audit.ReadJournal("one", strings.NewReader(bad+"\n"), 99); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}
