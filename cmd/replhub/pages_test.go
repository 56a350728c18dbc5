package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/micro"

	"github.com/replhub/replhub/internal/contract"
)

// pagesOf serves a list in pages of two, each behind a name.
func (b *bench) pagesOf(t *testing.T, subject string, names []string, page func(names []string, next string) any) {
	t.Helper()
	b.serve(t, subject, func(req micro.Request) {
		var asked struct {
			After string `json:"after"`
		}
		if err := json.Unmarshal(req.Data(), &asked); err != nil {
			t.Error(err)
		}
		rest := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name <= asked.After })
		next := ""
		if len(rest) > 2 {
			rest, next = rest[:2], rest[1]
		}
		if err := req.RespondJSON(page(rest, next)); err != nil {
			t.Error(err)
		}
	})
}

// TestPagesAreOneList: what comes in pages is shown as one list, and so are the
// interests of a service that is larger than a page.
func TestPagesAreOneList(t *testing.T) {
	b := newBench(t)
	names := []string{"a", "b", "c", "d", "e"}
	lane := func(service string, entities []string, next string) contract.LaneStatus {
		s := contract.LaneStatus{Service: service, State: contract.LaneLive, Next: next}
		for _, entity := range entities {
			s.Interests = append(s.Interests, contract.InterestStatus{Service: service, Entity: entity})
		}
		return s
	}
	b.pagesOf(t, "replhub.services", names, func(names []string, next string) any {
		reply := contract.Services{Next: next}
		for _, name := range names {
			if name == "c" {
				reply.Services = append(reply.Services, lane(name, []string{"e1", "e2"}, "e2"))
				continue
			}
			reply.Services = append(reply.Services, lane(name, []string{"only"}, ""))
		}
		return reply
	})
	b.pagesOf(t, "replhub.who", names, func(names []string, next string) any {
		reply := contract.Interested{Entity: "user", Next: next}
		for _, name := range names {
			reply.Services = append(reply.Services, contract.InterestStatus{Service: name})
		}
		return reply
	})
	b.pagesOf(t, "replhub.describe.c", []string{"e1", "e2", "e3", "e4", "e5"}, func(names []string, next string) any { return lane("c", names, next) })
	for _, tt := range []struct {
		args  []string
		wants string // of the list, in order
		list  func(text []byte) (names []string, err error)
	}{
		{[]string{"ls"}, "a:1 b:1 c:5 d:1 e:1", func(text []byte) (names []string, err error) {
			var all contract.Services
			err = json.Unmarshal(text, &all)
			for i := range all.Services {
				names = append(names, fmt.Sprintf("%s:%d", all.Services[i].Service, len(all.Services[i].Interests)))
			}
			return append(names, all.Next), err
		}},
		{[]string{"who", "user"}, "a b c d e", func(text []byte) (names []string, err error) {
			var all contract.Interested
			err = json.Unmarshal(text, &all)
			for i := range all.Services {
				names = append(names, all.Services[i].Service)
			}
			return append(names, all.Next), err
		}},
		{[]string{"describe", "c"}, "e1 e2 e3 e4 e5", func(text []byte) (names []string, err error) {
			var all contract.LaneStatus
			err = json.Unmarshal(text, &all)
			for i := range all.Interests {
				names = append(names, all.Interests[i].Entity)
			}
			return append(names, all.Next), err
		}},
	} {
		got := execute(t.Context(), "", append(tt.args, "--json")...)
		names, err := tt.list([]byte(got.stdout))
		if text := strings.TrimSpace(strings.Join(names, " ")); err != nil || text != tt.wants {
			t.Errorf("%v: %q, %v\n%+v", tt.args, text, err, got)
		}
		plain := execute(t.Context(), "", tt.args...)
		for name := range strings.FieldsSeq(tt.wants) {
			if name, _, _ = strings.Cut(name, ":"); !strings.Contains(plain.stdout, "\n"+name) {
				t.Errorf("%v does not show %s:\n%s", tt.args, name, plain.stdout)
			}
		}
	}
}
