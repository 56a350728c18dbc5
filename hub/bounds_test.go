package hub_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/cluster"
)

// smallPayload is the max_payload of servers on which little is much.
const smallPayload = 32 << 10

// newSmallWorld is a world whose server takes small messages only.
func newSmallWorld(t *testing.T) *world {
	t.Helper()
	server := cluster.StartNATS(t, cluster.NATSMaxPayload(smallPayload))
	w := &world{t: t, server: server, dir: server.StoreDir(), url: server.URL(), patience: time.Minute}
	w.open()
	return w
}

// pages asks for a list page by page, and returns the services of each.
func (w *world) pages(subject string, request map[string]any) (pages [][]string) {
	w.t.Helper()
	for {
		data, err := json.Marshal(request)
		if err != nil {
			w.t.Fatal(err)
		}
		var reply struct {
			Services []struct {
				Service string `json:"service"`
			} `json:"services"`
			Next string `json:"next"`
		}
		if err := w.call(subject, string(data), &reply); err != nil {
			w.t.Fatalf("%s %s: %v", subject, data, err)
		}
		page := []string{}
		for _, s := range reply.Services {
			page = append(page, s.Service)
		}
		pages = append(pages, page)
		if reply.Next == "" {
			return pages
		}
		if after, _ := request["after"].(string); reply.Next <= after {
			w.t.Fatalf("%s %s: next is %q", subject, data, reply.Next)
		}
		request["after"] = reply.Next
	}
}

// TestListsComeInPages: a list ends by its limit and by max_payload, and all of
// its pages are all of it, in order, each once.
func TestListsComeInPages(t *testing.T) {
	w := newSmallWorld(t)
	w.startHub()
	const services = 23
	long := strings.Repeat(" ", 2500) + "true"
	var want []string
	for i := range services {
		name := fmt.Sprintf("s%02d", (i*7)%services) // not in their order
		w.register(name, fmt.Sprintf(`{"interests":[{"entity":"user","filter":%q},{"entity":"e%d"}]}`, long, i))
		want = append(want, fmt.Sprintf("s%02d", i))
	}
	for name, tt := range map[string]struct {
		subject string
		request map[string]any
		pages   int
	}{
		"services, by size":  {"replhub.services", map[string]any{}, 3},
		"services, by limit": {"replhub.services", map[string]any{"limit": 5}, 5},
		"who, by size":       {"replhub.who", map[string]any{"entity": "user"}, 2},
		"who, by limit":      {"replhub.who", map[string]any{"entity": "user", "limit": 5}, 5},
	} {
		pages := w.pages(tt.subject, tt.request)
		var got []string
		for _, page := range pages {
			got = append(got, page...)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) || len(pages) != tt.pages {
			t.Errorf("%s: %d pages, want %d: %v", name, len(pages), tt.pages, pages)
		}
	}
	if pages := w.pages("replhub.services", map[string]any{"after": "s20x"}); fmt.Sprint(pages) != "[[s21 s22]]" {
		t.Errorf("behind a service that is not there: %v", pages)
	}
	for request, field := range map[string]string{`{"limit":-1}`: "limit", `{"limit":1001}`: "limit", `{"after":"A.b"}`: "after"} {
		if refusal := asRefusal(t, w.call("replhub.services", request, nil)); refusal.Field != field {
			t.Errorf("%s: %v", request, refusal)
		}
	}
	var status contract.Status
	if err := w.call("replhub.status", "", &status); err != nil || status.Lanes[contract.LaneLive] != services {
		t.Errorf("status counts %v, %v", status.Lanes, err)
	}
}

// TestOneServiceLargerThanAReply: its interests and consumers come in pages of
// describe, and beside it the other services are still listed.
func TestOneServiceLargerThanAReply(t *testing.T) {
	w := newSmallWorld(t)
	w.startHub()
	const interests = 150
	name := strings.Repeat("n", 63)
	entities := make([]string, interests)
	for i := range entities {
		entities[i] = fmt.Sprintf("e%03d", i)
	}
	request, err := json.Marshal(map[string]any{"entities": entities, "queue": map[string]any{"order": "key", "partitions": 100}})
	if err != nil {
		t.Fatal(err)
	}
	if reply := w.register(name, string(request)); len(reply.Since) != interests {
		t.Fatalf("%d of %d interests", len(reply.Since), interests)
	}
	w.register("zoo", `{"entities":["e000"]}`)
	var got []string
	after, pages := "", 0
	for ; pages == 0 || after != ""; pages++ {
		var s contract.LaneStatus
		if err := w.call("replhub.describe."+name, fmt.Sprintf(`{"after":%q}`, after), &s); err != nil {
			t.Fatal(err)
		}
		for _, in := range s.Interests {
			got = append(got, in.Entity)
		}
		if len(s.Workers)+s.WorkersLeftOut != 100 || s.WorkersLeftOut == 0 {
			t.Errorf("%d consumers, %d left out", len(s.Workers), s.WorkersLeftOut)
		}
		after = s.Next
	}
	if fmt.Sprint(got) != fmt.Sprint(entities) || pages < 2 {
		t.Errorf("%d pages: %v", pages, got)
	}
	if pages := w.pages("replhub.services", map[string]any{}); fmt.Sprint(pages) != fmt.Sprintf("[[%s] [zoo]]", name) {
		t.Errorf("services: %v", pages)
	}
}

// TestLongRequestIsAnswered: what a refusal quotes of the request does not make
// it too long to be sent.
func TestLongRequestIsAnswered(t *testing.T) {
	w := newSmallWorld(t)
	w.startHub()
	long := strings.Repeat("x", smallPayload-1000)
	for subject, request := range map[string]string{
		"replhub.services":   fmt.Sprintf(`{%q:1}`, long),
		"replhub.who":        fmt.Sprintf(`{"entity":%q}`, long),
		"replhub.register.s": fmt.Sprintf(`{"entities":[%q]}`, long),
		"replhub.rewind.s":   fmt.Sprintf(`{"to":%q}`, long),
		"replhub.join.s":     fmt.Sprintf(`{"instance":%q}`, long),
	} {
		if refusal := asRefusal(t, w.call(subject, request, nil)); len(refusal.Error()) > 4<<10 {
			t.Errorf("%s: a refusal of %d bytes", subject, len(refusal.Error()))
		}
	}
}

// TestRegistrationThatDoesNotFitARecord is refused with the numbers, and keeps
// nothing: not the pin, not a stream.
func TestRegistrationThatDoesNotFitARecord(t *testing.T) {
	w := newSmallWorld(t)
	w.startHub()
	big := func(n int) string {
		var interests []contract.Interest
		for i := range n {
			interests = append(interests, contract.Interest{Entity: fmt.Sprintf("e%d", i), Definition: contract.Definition{Filter: strings.Repeat(" ", 2000) + "true"}, Start: "all"})
		}
		data, err := json.Marshal(contract.Register{Interests: interests})
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	refused := func(service string) {
		t.Helper()
		refusal := asRefusal(t, w.call("replhub.register."+service, big(15), nil))
		if refusal.Code != contract.CodeLimit || len(regexp.MustCompile(`\d{5}`).FindAllString(refusal.Message, -1)) != 3 {
			t.Errorf("refused with %v", refusal)
		}
		if pins := w.pins(); pins != 0 {
			t.Errorf("%d pins stay", pins)
		}
	}
	refused("new")
	if _, err := w.js.Stream(t.Context(), "SUB_new"); err == nil {
		t.Error("a refused registration left a stream")
	}
	w.register("s", `{"entities":["user"]}`)
	refused("s")
	w.register("s", big(10))
	w.publish("db.user.update", `{"id":"1"}`)
	w.copies("s", 1)
	if err := w.call("replhub.unregister.s", "{}", nil); err != nil {
		t.Error(err)
	}
	if err := w.call("replhub.drop.s", "{}", nil); err != nil {
		t.Error(err)
	}
}

// pins counts what registrations hold of ingest.
func (w *world) pins() int {
	w.t.Helper()
	s := w.stream("REPLHUB_LEDGER")
	m, err := s.GetMsg(w.t.Context(), s.CachedInfo().State.LastSeq)
	if err != nil {
		w.t.Fatal(err)
	}
	var ledger struct {
		Pins map[string]any `json:"pins"`
	}
	if err := json.Unmarshal(m.Data, &ledger); err != nil {
		w.t.Fatal(err)
	}
	return len(ledger.Pins)
}

// TestMaxPayloadLowered: a lane whose record no longer fits says so, and goes on
// when it fits again.
func TestMaxPayloadLowered(t *testing.T) {
	w := newSmallWorld(t)
	stop := w.startHub()
	var entities []string
	for i := range 100 {
		entities = append(entities, fmt.Sprintf("%q", fmt.Sprintf("e%d", i)))
	}
	w.register("s", `{"entities":[`+strings.Join(entities, ",")+`]}`)
	stop()
	w.maxPayload(8 << 10)
	stop = w.startHub()
	refusal := asRefusal(t, w.call("replhub.register.s", `{"entities":["user"]}`, nil))
	if refusal.Code != contract.CodeLimit || !strings.Contains(refusal.Message, "max_payload is 8192") {
		t.Errorf("refused with %v", refusal)
	}
	w.publish("db.e1.update", `{"id":"1"}`)
	w.copies("s", 1)
	// Its record is asked for: other interests would be in it.
	if refusal := asRefusal(t, w.call("replhub.unregister.s", `{"entities":["e1"]}`, nil)); refusal.Code != contract.CodeLimit {
		t.Errorf("refused with %v", refusal)
	}
	stop()
	w.maxPayload(smallPayload)
	w.startHub()
	w.register("s", `{"entities":["user"]}`)
}

// maxPayload starts the server again with another max_payload.
func (w *world) maxPayload(bytes int) {
	w.t.Helper()
	w.stopServer()
	w.server.SetMaxPayload(bytes)
	w.startServer()
	w.eventually("the connection to come back", func() error {
		if !w.nc.IsConnected() || int(w.nc.MaxPayload()) != bytes {
			return errors.New("not yet")
		}
		return nil
	})
}

// TestRedriveTellsWhatStaysInPages: letters that stay do not stop those behind
// them, and the replies that name them fit.
func TestRedriveTellsWhatStaysInPages(t *testing.T) {
	w := newSmallWorld(t)
	w.startHub()
	w.register("s", `{"interests":[{"entity":"user","filter":"data.tenant == 'acme'"}]}`)
	const letters = 200
	if err := w.publishAll(t.Context(), "user", letters); err != nil {
		t.Fatal(err)
	}
	w.publish("db.user.update", "no json")
	w.letters(letters + 1)
	seen := make(map[uint64]int)
	requests := 0
	for after, more := uint64(0), true; more; requests++ {
		var reply contract.Redriven
		if err := w.call("replhub.redrive.s", fmt.Sprintf(`{"all":true,"after":%d}`, after), &reply); err != nil {
			t.Fatal(err)
		}
		for _, left := range reply.Left {
			seen[left.Seq]++
		}
		if reply.More && reply.Next <= after {
			t.Fatalf("next is %d behind %d", reply.Next, after)
		}
		after, more = reply.Next, reply.More
	}
	if len(seen) != letters+1 || requests < 2 {
		t.Errorf("%d letters in %d replies", len(seen), requests)
	}
	for seq, n := range seen {
		if n != 1 {
			t.Errorf("dead letter %d is told %d times", seq, n)
		}
	}
}

// TestRegisterSpeaksOfWhatWasAsked: not of everything that the service has.
func TestRegisterSpeaksOfWhatWasAsked(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	w.register("s", `{"entities":["user","tenant"]}`)
	w.publish("db.user.update", `{"id":"1"}`)
	if reply := w.register("s", `{"entities":["order"]}`); len(reply.Since) != 1 || reply.Since["order"] != 2 {
		t.Errorf("one more: %v", reply.Since)
	}
	if reply := w.register("s", `{"interests":[{"entity":"user"}]}`); len(reply.Since) != 1 || reply.Since["user"] != 1 {
		t.Errorf("one again: %v", reply.Since)
	}
	if reply := w.register("s", `{"max_bytes":1000000}`); len(reply.Since) != 3 {
		t.Errorf("none named: %v", reply.Since)
	}
}

// TestRedrivenLettersAreForgotten: letters of a redrive that was cut short do
// not stay in the lane's record when somebody has removed them since, whatever
// the next redrive is asked for.
func TestRedrivenLettersAreForgotten(t *testing.T) {
	w := newWorld(t)
	reached := make(chan struct{})
	goOn := make(chan struct{})
	release := sync.OnceFunc(func() { close(goOn) })
	t.Cleanup(release)
	var paused atomic.Bool
	stop := w.startHub(func(c *hub.Config) {
		c.OwnAll = true
		c.Failpoint = func(at string) {
			if at == "redrive remove" && paused.CompareAndSwap(false, true) {
				close(reached)
				<-goOn
			}
		}
	})
	w.register("s", `{"entities":["user"],"queue":{"max_deliver":1}}`)
	for i := range 3 {
		w.publish("db.user.update", fmt.Sprintf(`{"id":"%d"}`, i))
	}
	w.copies("s", 3)
	w.work("s", "workers", poison("0", "1", "2"))
	w.letters(3)
	if err := w.nc.PublishRequest("replhub.redrive.s", w.nc.NewInbox(), []byte(`{"seqs":[1,2]}`)); err != nil {
		t.Fatal(err)
	}
	<-reached
	if err := w.stream(contract.StreamDLQ).DeleteMsg(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	w.startHub(func(c *hub.Config) { c.OwnAll, c.ID = true, "second" })
	var reply contract.Redriven
	if err := w.call("replhub._to.second.redrive.s", `{"seqs":[3]}`, &reply); err != nil || reply.Redriven != 1 {
		t.Errorf("redrive: %+v, %v", reply, err)
	}
	w.letters(0)
	s := w.stream("SUB_s")
	m, err := s.GetLastMsgForSubject(t.Context(), "sub.s._state")
	if err != nil || strings.Contains(string(m.Data), "redriven") {
		t.Errorf("the record is %s, %v", m.Data, err)
	}
	w.copies("s", 6)
	release()
	stop()
}
