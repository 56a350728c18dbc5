package hub_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.yaml.in/yaml/v3"

	"github.com/replhub/replhub/internal/asyncapi"
	"github.com/replhub/replhub/internal/contract"
)

// asyncAPI is docs/asyncapi.yaml, as far as the test uses it.
type asyncAPI struct {
	Channels map[string]struct {
		Address *string
	}
	Components struct {
		Messages map[string]struct {
			Headers struct {
				Properties map[string]any
				Required   []string
			}
			Examples []struct {
				Headers map[string]string
				Payload any
			}
		}
	}
}

func readAsyncAPI(t *testing.T) (page asyncAPI) {
	t.Helper()
	text, err := os.ReadFile("../docs/asyncapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &page); err != nil {
		t.Fatal(err)
	}
	return page
}

// example is the payload of a message's example, as JSON.
func (page asyncAPI) example(t *testing.T, message string) (header map[string]string, payload []byte) {
	t.Helper()
	if len(page.Components.Messages[message].Examples) == 0 {
		t.Fatalf("%s has no example", message)
	}
	given := page.Components.Messages[message].Examples[0]
	payload, err := json.Marshal(given.Payload)
	if err != nil {
		t.Fatal(err)
	}
	return given.Headers, payload
}

// holds checks that a message on a channel is as the page says. own are the headers of
// the publisher.
func (page asyncAPI) holds(t *testing.T, channel, message, subject string, header nats.Header, own ...string) {
	t.Helper()
	address := regexp.QuoteMeta(*page.Channels[channel].Address)
	pattern := regexp.MustCompile(`\\\{\w+\\\}`).ReplaceAllString(address, `[a-z0-9_-]+`)
	if !regexp.MustCompile("^" + pattern + "$").MatchString(subject) {
		t.Errorf("%s: the subject %s is not of the form %s", message, subject, *page.Channels[channel].Address)
	}
	said := page.Components.Messages[message].Headers
	for name := range header {
		if _, ok := said.Properties[name]; !ok && !slices.Contains(own, name) {
			t.Errorf("%s: the page does not say of %s", message, name)
		}
	}
	for _, name := range said.Required {
		if header.Get(name) == "" {
			t.Errorf("%s: %s is missing in %v", message, name, header)
		}
	}
}

// strictly decodes JSON that has no other members than the type.
func strictly(data []byte, v any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	return decoder.Decode(v)
}

// ownRow answers a hub's requests for rows of users, with one row.
func ownRow(t *testing.T, page asyncAPI, w *world, used map[string]bool) {
	t.Helper()
	sub, err := w.nc.QueueSubscribe(contract.SubjectSnapshot+"user", contract.GroupSnapshot, func(m *nats.Msg) {
		var request contract.SnapshotRequest
		if err := strictly(m.Data, &request); err != nil {
			t.Errorf("the hub's request for rows %s: %v", m.Data, err)
		}
		used["rows"] = true
		rows := 0
		if request.After == "" {
			rows = 1
			header, data := page.example(t, "Row")
			row := &nats.Msg{Subject: m.Reply, Header: make(nats.Header), Data: data}
			for name, value := range header {
				row.Header.Set(name, value)
			}
			if err := w.nc.PublishMsg(row); err != nil {
				t.Error(err)
			}
		}
		end := nats.Header{contract.HeaderSnapshot: {contract.SnapshotEnd}, contract.HeaderRow: {strconv.Itoa(rows)}}
		if err := w.nc.PublishMsg(&nats.Msg{Subject: m.Reply, Header: end}); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sub.Unsubscribe() })
}

// Every subject of docs/asyncapi.yaml works on a real hub as the page says, and a hub has
// no other.
func TestAsyncAPIIsTheHub(t *testing.T) {
	page := readAsyncAPI(t)
	w := newWorld(t)
	w.startHub()
	used := make(map[string]bool)
	ownRow(t, page, w, used)
	verbs := make(map[string]asyncapi.Verb)
	for _, v := range asyncapi.Verbs() {
		verbs[v.Name] = v
	}
	ask := func(verb string) {
		t.Helper()
		v := verbs[verb]
		of := map[string]string{"service": "sharing", "entity": "user"}[v.Of]
		_, request := page.example(t, strings.ToUpper(verb[:1])+verb[1:]+"Request")
		m, err := w.nc.Request(v.Subject(of), request, 10*time.Second)
		if err != nil {
			t.Fatalf("%s %s: %v", v.Subject(of), request, err)
		}
		if m.Header.Get("Nats-Service-Error-Code") != "" {
			t.Fatalf("%s %s: refused with %s", v.Subject(of), request, m.Data)
		}
		if err := strictly(m.Data, reflect.New(reflect.TypeOf(v.Reply).Elem()).Interface()); err != nil {
			t.Errorf("%s: the reply %s: %v", verb, m.Data, err)
		}
		used[verb] = true
	}
	header, payload := page.example(t, "Event")
	for i, op := range []string{"create", "read", "update", "delete"} {
		m := &nats.Msg{Subject: "db.user." + op, Header: nats.Header{"X-Own": {"1"}}, Data: payload}
		for name, value := range header {
			m.Header[name] = []string{value}
		}
		m.Header.Set(contract.HeaderMsgID, fmt.Sprint("id-", i))
		page.holds(t, "events", "Event", m.Subject, m.Header, "X-Own")
		answer, err := w.nc.RequestMsg(m, 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		var ack struct {
			Stream, Domain string
			Seq            uint64
			Duplicate      bool
		}
		if err := strictly(answer.Data, &ack); err != nil || ack.Stream != contract.StreamIngest || ack.Seq != uint64(i+1) {
			t.Errorf("%s: %s, %v", op, answer.Data, err)
		}
		used["events"] = true
	}
	w.publish("db.user.create", "[]")

	// In the order in which they can succeed.
	for _, verb := range []string{
		contract.VerbRegister, contract.VerbDescribe, contract.VerbExplain, contract.VerbPause, contract.VerbResume, contract.VerbRewind,
		contract.VerbBackfill, contract.VerbDigest, contract.VerbLetter, contract.VerbJoin, contract.VerbServices, contract.VerbWho,
	} {
		ask(verb)
	}
	w.eventually("the dead letter", func() error {
		letter, err := w.stream(contract.StreamDLQ).GetLastMsgForSubject(t.Context(), "dlq.sharing.user.create")
		if err == nil {
			page.holds(t, "deadletters", "DeadLetter", letter.Subject, letter.Header)
			used["deadletters"] = true
		}
		return err
	})
	for _, verb := range []string{contract.VerbErase, contract.VerbPolicy, contract.VerbPolicies, contract.VerbStatus, contract.VerbRedrive} {
		ask(verb)
	}
	copies := 0
	w.eventually("copies", func() error {
		s := w.stream(contract.StreamLanePrefix + "sharing")
		info, err := s.Info(t.Context())
		if err != nil {
			return err
		}
		copies = 0
		for seq := info.State.FirstSeq; seq <= info.State.LastSeq; seq++ {
			m, err := s.GetMsg(t.Context(), seq)
			if err != nil {
				return err
			}
			if strings.HasSuffix(m.Subject, "._state") {
				page.holds(t, "state", "StateRecord", m.Subject, m.Header)
				used["state"] = true
				continue
			}
			page.holds(t, "lane", "Copy", m.Subject, m.Header, "X-Own")
			used["lane"] = true
			copies++
		}
		if copies == 0 {
			return fmt.Errorf("no copies among %d messages", info.State.Msgs)
		}
		return nil
	})
	_, outage := page.example(t, "Unavailable")
	w.eventually("the outage in describe", func() error {
		if err := w.nc.Publish(contract.SubjectUnavailable+"sharing", outage); err != nil {
			return err
		}
		lane, err := w.describe("sharing")
		if err != nil || len(lane.Unavailable) == 0 {
			return fmt.Errorf("%v, %w", lane.Unavailable, err)
		}
		used["unavailable"] = true
		return nil
	})
	ask(contract.VerbUnregister)
	ask(contract.VerbDrop)

	want := make(map[string]bool)
	for name, channel := range page.Channels {
		if channel.Address != nil {
			want[name] = true
		}
	}
	if !maps.Equal(used, want) {
		t.Errorf("used %v, of the page's %v", slices.Sorted(maps.Keys(used)), slices.Sorted(maps.Keys(want)))
	}
	for _, subject := range w.endpoints() {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(verbs)), func(verb string) bool { return subject == "replhub."+verb || subject == "replhub."+verb+".*" }) {
			t.Errorf("the hub answers on %s, which is not on the page", subject)
		}
	}
}

// endpoints are the subjects of the hub's micro service, those between hubs apart.
func (w *world) endpoints() []string {
	w.t.Helper()
	m, err := w.nc.Request("$SRV.INFO."+contract.MicroName, nil, 10*time.Second)
	if err != nil {
		w.t.Fatal(err)
	}
	var info struct{ Endpoints []struct{ Subject string } }
	if err := json.Unmarshal(m.Data, &info); err != nil {
		w.t.Fatal(err)
	}
	var all []string
	for _, e := range info.Endpoints {
		if !strings.HasPrefix(e.Subject, "replhub._") {
			all = append(all, e.Subject)
		}
	}
	if len(all) < len(asyncapi.Verbs()) {
		w.t.Errorf("only %d endpoints: %v", len(all), all)
	}
	return all
}

// A refusal is as the page says, with a code that it names.
func TestAsyncAPIOfARefusal(t *testing.T) {
	page := readAsyncAPI(t)
	w := newWorld(t)
	w.startHub()
	m, err := w.nc.Request("replhub.register.sharing", []byte(`{"interests":[{"entity":"user","opps":["create"]}]}`), 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	_, want := page.example(t, "Refusal")
	var got, example contract.Refusal
	if err := strictly(m.Data, &got); err != nil {
		t.Fatal(err)
	}
	if err := strictly(want, &example); err != nil {
		t.Fatal(err)
	}
	if *got.Error != *example.Error {
		t.Errorf("%+v, the page's example is %+v", got.Error, example.Error)
	}
	for name, value := range page.Components.Messages["Refusal"].Examples[0].Headers {
		if m.Header.Get(name) != value {
			t.Errorf("%s is %q, the page's example has %q", name, m.Header.Get(name), value)
		}
	}
}
