package match_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/match"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

func name(t testing.TB, s string) subjects.Name {
	t.Helper()
	n, err := subjects.ParseName(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func compile(t testing.TB, def match.Definition) *match.Interest {
	t.Helper()
	if def.Entity.IsZero() {
		def.Entity = name(t, "user")
	}
	if def.Ops == 0 {
		def.Ops = subjects.DefaultOps
	}
	i, err := match.Compile(def)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func table(t testing.TB, def match.Definition) *match.Table {
	t.Helper()
	return match.New(name(t, "sharing"), 0, []*match.Interest{compile(t, def)})
}

var stored = time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)

func decode(t testing.TB, subject string, header map[string][]string, data string) *event.Event {
	t.Helper()
	e, err := event.Decode(event.Position{Epoch: 2, Seq: 42}, stored, subject, header, []byte(data))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// outcome is a decision in a form that tests state.
type outcome struct {
	Kind               match.Kind
	Why, Subject, Data string
}

func outcomeOf(d match.Decision) outcome {
	return outcome{d.Kind, d.Why, d.Subject, string(d.Data)}
}

func TestExpand(t *testing.T) {
	const ada = `{"id":"7","name":"Ada","address":{"city":"London","zip":1}}`
	own := map[string][]string{"Replhub-Origin": {"sharing"}}
	copied := func(op, data string) outcome {
		return outcome{match.Copy, "", "sub.sharing.user." + op + ".0", data}
	}
	skipped := func(why string) outcome { return outcome{Kind: match.Skip, Why: why} }
	dead := func(why string) outcome { return outcome{Kind: match.Dead, Why: why} }
	for _, tc := range []struct {
		name    string
		def     match.Definition
		subject string
		header  map[string][]string
		data    string
		want    outcome
	}{
		{"plain", match.Definition{}, "db.user.update", nil, ada, copied("update", ada)},
		{"plain, not JSON", match.Definition{}, "db.user.update", nil, "\x00", copied("update", "\x00")},
		{"another entity", match.Definition{}, "db.users.update", nil, ada, skipped(contract.VerdictNoInterest)},
		{"since now", match.Definition{Since: event.Position{Epoch: 2, Seq: 42}}, "db.user.update", nil, ada, copied("update", ada)},
		{"since later", match.Definition{Since: event.Position{Epoch: 2, Seq: 43}}, "db.user.update", nil, ada, skipped(contract.VerdictBefore)},
		{"since a later epoch", match.Definition{Since: event.Position{Epoch: 3, Seq: 1}}, "db.user.update", nil, ada, skipped(contract.VerdictBefore)},
		{"since an earlier epoch", match.Definition{Since: event.Position{Epoch: 1, Seq: 99}}, "db.user.update", nil, ada, copied("update", ada)},
		{"op not wanted", match.Definition{}, "db.user.read", nil, ada, skipped(contract.VerdictOp)},
		{"read wanted", match.Definition{Ops: subjects.NewOpSet(subjects.Read)}, "db.user.read", nil, ada, copied("read", ada)},
		{"own event", match.Definition{}, "db.user.update", own, ada, skipped(contract.VerdictOwn)},
		{"own event echoed", match.Definition{Echo: true}, "db.user.update", own, ada, copied("update", ada)},
		{"another's event", match.Definition{}, "db.user.update", map[string][]string{"Replhub-Origin": {"profile"}}, ada, copied("update", ada)},
		{"before comes first", match.Definition{Since: event.Position{Epoch: 9}}, "db.user.read", own, ada, skipped(contract.VerdictBefore)},
		{"op before own", match.Definition{}, "db.user.read", own, ada, skipped(contract.VerdictOp)},
		{"own before filter", match.Definition{Filter: "data.x"}, "db.user.update", own, "x", skipped(contract.VerdictOwn)},
		{"filter passes", match.Definition{Filter: "data.name == 'Ada'"}, "db.user.update", nil, ada, copied("update", ada)},
		{"filter says no", match.Definition{Filter: "data.name == 'Bob'"}, "db.user.update", nil, ada, skipped(contract.VerdictFiltered)},
		{"filter says no before fields", match.Definition{Filter: "false", Fields: []string{"id"}}, "db.user.update", nil, "{}", skipped(contract.VerdictFiltered)},
		{"filter fails", match.Definition{Filter: "data.nick == 'Ada'"}, "db.user.update", nil, ada, dead(contract.ReasonFilter)},
		{"filter on what is not JSON", match.Definition{Filter: "key == ''"}, "db.user.update", nil, "x", dead(contract.ReasonNotJSON)},
		{"filter on nothing", match.Definition{Filter: "true"}, "db.user.create", nil, "", dead(contract.ReasonNotJSON)},
		{"filter on an array", match.Definition{Filter: "true"}, "db.user.update", nil, "[]", dead(contract.ReasonNotObject)},
		{"filter on null", match.Definition{Filter: "!has(data.x)"}, "db.user.update", nil, " null ", dead(contract.ReasonNotObject)},
		{"filter and fields on a text", match.Definition{Filter: "op == 'update'", Fields: []string{"id"}}, "db.user.update", nil, `"x"`, dead(contract.ReasonNotObject)},
		{"delete of a scalar passes the filter", match.Definition{Filter: "false"}, "db.user.delete", nil, "7", copied("delete", "7")},
		{"delete passes the filter", match.Definition{Filter: "false"}, "db.user.delete", nil, ada, copied("delete", ada)},
		{"delete passes a failing filter", match.Definition{Filter: "data.x"}, "db.user.delete", nil, "x", copied("delete", "x")},
		{"both filters pass", match.Definition{Filter: "key == '7'", Only: "data.name == 'Ada'"}, "db.user.create", nil, ada, copied("create", ada)},
		{"only the first passes", match.Definition{Filter: "key == '7'", Only: "key == '8'"}, "db.user.create", nil, ada, skipped(contract.VerdictFiltered)},
		{"only the second passes", match.Definition{Filter: "key == '8'", Only: "key == '7'"}, "db.user.create", nil, ada, skipped(contract.VerdictFiltered)},
		{"the second alone", match.Definition{Only: "key == '8'"}, "db.user.create", nil, ada, skipped(contract.VerdictFiltered)},
		{"the first fails and the second says no", match.Definition{Filter: "data.x", Only: "false"}, "db.user.create", nil, ada, skipped(contract.VerdictFiltered)},
		{"the second fails and the first says no", match.Definition{Filter: "false", Only: "data.x"}, "db.user.create", nil, ada, skipped(contract.VerdictFiltered)},
		{"the first fails and the second passes", match.Definition{Filter: "data.x", Only: "true"}, "db.user.create", nil, ada, dead(contract.ReasonFilter)},
		{"the second fails and the first passes", match.Definition{Filter: "true", Only: "data.x"}, "db.user.create", nil, ada, dead(contract.ReasonFilter)},
		{"fields", match.Definition{Fields: []string{"id", "address.city"}}, "db.user.update", nil, ada, copied("update", `{"id":"7","address":{"city":"London"}}`)},
		{"fields of what is not JSON", match.Definition{Fields: []string{"id"}}, "db.user.update", nil, "{", dead(contract.ReasonNotJSON)},
		{"fields of nothing", match.Definition{Fields: []string{"id"}}, "db.user.update", nil, "", dead(contract.ReasonNotJSON)},
		{"fields of a scalar", match.Definition{Fields: []string{"id"}}, "db.user.update", nil, " 1 ", dead(contract.ReasonNotObject)},
		{"fields of an array", match.Definition{Fields: []string{"id"}}, "db.user.update", nil, `[{"id":1}]`, dead(contract.ReasonNotObject)},
		{"fields of null", match.Definition{Fields: []string{"id"}}, "db.user.create", nil, "null", dead(contract.ReasonNotObject)},
		{"fields of a bare delete", match.Definition{Fields: []string{"id"}}, "db.user.delete", nil, "", copied("delete", "")},
		{"fields of a delete", match.Definition{Filter: "false", Fields: []string{"id"}}, "db.user.delete", nil, ada, copied("delete", `{"id":"7"}`)},
		{"fields of a delete of a scalar", match.Definition{Fields: []string{"id"}}, "db.user.delete", nil, "7", dead(contract.ReasonNotObject)},
		{"fields of a delete of garbage", match.Definition{Fields: []string{"id"}}, "db.user.delete", nil, "x", dead(contract.ReasonNotJSON)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := table(t, tc.def).Expand(decode(t, tc.subject, tc.header, tc.data))
			if diff := cmp.Diff(tc.want, outcomeOf(d)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if (d.Err != nil) != (d.Kind == match.Dead) {
				t.Errorf("error %v on kind %d", d.Err, d.Kind)
			}
			if (d.Interest == nil) != (d.Why == contract.VerdictNoInterest) {
				t.Errorf("interest %v", d.Interest)
			}
		})
	}
}

func TestPlainCopySharesThePayload(t *testing.T) {
	e := decode(t, "db.user.update", nil, `{"id":1}`)
	if d := table(t, match.Definition{}).Expand(e); &d.Data[0] != &e.Data[0] {
		t.Error("the payload was copied")
	}
}

func TestPartitions(t *testing.T) {
	i := compile(t, match.Definition{})
	for _, n := range []int{0, 1, 2, 16, 256, 257, 5000} {
		tb := match.New(name(t, "sharing"), n, []*match.Interest{i})
		for k := range 50 {
			key := fmt.Sprintf("k%d", k)
			d := tb.Expand(decode(t, "db.user.create", map[string][]string{"Replhub-Key": {key}}, ""))
			want := fmt.Sprintf("sub.sharing.user.create.%d", subjects.Partition(key, n))
			if d.Subject != want {
				t.Fatalf("%d partitions, key %s: %s, want %s", n, key, d.Subject, want)
			}
		}
		if d := tb.Expand(decode(t, "db.user.create", nil, "")); d.Subject != "sub.sharing.user.create.0" {
			t.Errorf("%d partitions, no key: %s", n, d.Subject)
		}
	}
}

func TestTableOfSeveralInterests(t *testing.T) {
	tb := match.New(name(t, "sharing"), 0, []*match.Interest{
		compile(t, match.Definition{ID: "1"}),
		compile(t, match.Definition{ID: "2", Entity: name(t, "tenant")}),
		compile(t, match.Definition{ID: "3"}),
	})
	if !tb.Wants(name(t, "user")) || !tb.Wants(name(t, "tenant")) || tb.Wants(name(t, "order")) {
		t.Error("wants the wrong entities")
	}
	for entity, id := range map[string]string{"user": "3", "tenant": "2"} {
		d := tb.Expand(decode(t, "db."+entity+".create", nil, ""))
		if got := d.Interest.Definition().ID; got != id {
			t.Errorf("%s: interest %s, want %s", entity, got, id)
		}
	}
	if d := match.New(name(t, "sharing"), 0, nil).Expand(decode(t, "db.user.create", nil, "")); d.Why != contract.VerdictNoInterest {
		t.Errorf("an empty table says %q", d.Why)
	}
}

func TestDefinitionIsKept(t *testing.T) {
	fields := []string{"id", "name"}
	i := compile(t, match.Definition{ID: "x", Filter: "true", Fields: fields, Echo: true})
	fields[0] = "changed"
	i.Definition().Fields[1] = "changed"
	if got := i.Definition(); !cmp.Equal(got.Fields, []string{"id", "name"}) || got.ID != "x" || got.Filter != "true" || !got.Echo {
		t.Errorf("definition %+v", got)
	}
}

// Lanes expand the same event at once.
func TestExpandIsSafeForConcurrentUse(t *testing.T) {
	def := match.Definition{Filter: "data.m.exists(k, k == 'b') && headers['X'] == 'x' && data.n == 1", Fields: []string{"n"}}
	tb := table(t, def)
	e := decode(t, "db.user.update", map[string][]string{"X": {"x"}}, `{"m":{"b":1,"a":2},"n":1}`)
	want := outcome{match.Copy, "", "sub.sharing.user.update.0", `{"n":1}`}
	var wg sync.WaitGroup
	got := make([]outcome, 8)
	for i := range got {
		wg.Go(func() { got[i] = outcomeOf(tb.Expand(e)) })
	}
	wg.Wait()
	for _, g := range got {
		if g != want {
			t.Errorf("got %+v, want %+v", g, want)
		}
	}
}

// refusal compiles what must be refused.
func refusal(t *testing.T, def match.Definition) *contract.Error {
	t.Helper()
	i, err := match.Compile(def)
	wireErr, ok := errors.AsType[*contract.Error](err)
	if !ok || i != nil {
		t.Fatalf("%+v: %v, %v; want a *contract.Error", def, i, err)
	}
	if strings.ContainsAny(wireErr.Message, "\r\n") || len(wireErr.Message) > 600 {
		t.Errorf("message is no short line: %q", wireErr.Message)
	}
	return wireErr
}
