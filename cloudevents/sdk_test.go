package cloudevents_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/binding"
	"github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/cloudevents"
)

var words = []string{
	"a", "42", "naïve 4%", "日本", `qu"ote`, "%41", "100%", "%", "-", "x y", "a\tb", "=", "😀", "null", `{"a":1}`, "ce-id", "text/plain", "none",
	`"in quotes"`, `\`, "\u0085",
}

// generator makes random values that events may have.
type generator struct{ *rand.Rand }

func (g generator) word() string { return words[g.IntN(len(words))] }

func (g generator) text() string {
	return strings.TrimSpace(strings.NewReplacer("\t", "").Replace(g.word() + g.word()))
}

func (g generator) maybe(s string) string {
	if g.IntN(2) == 0 {
		return ""
	}
	return s
}

func (g generator) data() []byte {
	all := []string{
		"", "null", `{"id":"42","n":1.50,"u":"\u003c<é"}`, "{ \"id\" : 1 }\n", "[1,2]", "\x00\xff\x01", "plain text", `"string"`, "<a/>", "12", "true", `{"a":1,"a":2}`,
	}
	return []byte(all[g.IntN(len(all))])
}

func (g generator) header() map[string][]string {
	h := make(map[string][]string)
	for range g.IntN(4) {
		h[[]string{"X-Own", "ce-id", "Ce-Type", "traceparent", "Traceparent", "tracestate", "x"}[g.IntN(7)]] = []string{g.text(), g.word()}[:1+g.IntN(2)]
	}
	return h
}

func (g generator) event() replhub.Event {
	return replhub.Event{
		Entity: []string{"user", "order-line", "a_1"}[g.IntN(3)],
		Op:     []replhub.Op{replhub.Create, replhub.Read, replhub.Update, replhub.Delete}[g.IntN(4)],
		Key:    g.maybe(g.text()), ID: "e" + g.text(), Version: []int64{0, 1, math.MaxInt64}[g.IntN(3)], Data: g.data(),
		ContentType: []string{"", "application/json", "text/plain; charset=utf-8", "no type at all/", "application/vnd.x+json", "none", "é"}[g.IntN(7)],
		Header:      g.header(),
	}
}

// modes are the ways of a CloudEvent over a wire, the last two through the SDK of
// CloudEvents.
func modes(t *testing.T, e cloudevents.CloudEvent) map[string]cloudevents.CloudEvent {
	t.Helper()
	all := make(map[string]cloudevents.CloudEvent)
	read := func(name string, header map[string][]string, data []byte, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s of %+v: %v", name, e, err)
		}
		if all[name], err = cloudevents.Parse(header, data); err != nil {
			t.Fatalf("%s of %+v: %v", name, e, err)
		}
	}
	header, data, err := e.Binary()
	read("binary", header, data, err)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost", bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		request.Header[http.CanonicalHeaderKey(name)] = values
	}
	through, err := binding.ToEvent(t.Context(), cehttp.NewMessageFromHttpRequest(request))
	if err != nil {
		t.Fatalf("the SDK reads binary %+v: %v", e, err)
	}
	back := httpRequest(t, through)
	body, err := io.ReadAll(back.Body)
	read("binary through the SDK", back.Header, body, err)

	header, data, err = e.Structured()
	read("structured", header, data, err)
	var structured event.Event
	if err := json.Unmarshal(data, &structured); err != nil {
		t.Fatalf("the SDK reads structured %s: %v", data, err)
	}
	if err := structured.Validate(); err != nil {
		t.Errorf("the SDK on %s: %v", data, err)
	}
	data, err = json.Marshal(structured)
	read("structured through the SDK", header, data, err)
	return all
}

func httpRequest(t *testing.T, e *event.Event) *http.Request {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if err := cehttp.WriteRequest(t.Context(), binding.ToMessage(e), request); err != nil {
		t.Fatal(err)
	}
	return request
}

// Every field of an event comes back from its CloudEvent in each mode, also through the
// SDK of CloudEvents.
func TestEventsComeBack(t *testing.T) {
	g := generator{rand.New(rand.NewPCG(1, 2))}
	done := 0
	for range 1500 {
		ev := g.event()
		e, err := cloudevents.Of(ev, g.maybe("user-profile"))
		if err != nil {
			if ev.Validate() == nil {
				t.Fatalf("%+v: %v", ev, err)
			}
			continue
		}
		done++
		for name, parsed := range modes(t, e) {
			got, err := parsed.Event(cloudevents.Rules{})
			if err != nil {
				t.Fatalf("%s of %+v: %v", name, ev, err)
			}
			if diff := cmp.Diff(ev, got, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("%s of %+v (-want +got):\n%s", name, e, diff)
			}
		}
	}
	if done < 500 {
		t.Errorf("only %d of 1500 events were valid", done)
	}
}

// So does every field of a delivery that is the event's.
func TestDeliveriesComeBack(t *testing.T) {
	g := generator{rand.New(rand.NewPCG(3, 4))}
	for i := range 300 {
		ev := g.event()
		if ev.Validate() != nil {
			continue
		}
		d := replhub.Delivery{
			Entity: ev.Entity, Op: ev.Op, Key: ev.Key, ID: ev.ID, Version: ev.Version, Data: ev.Data, ContentType: ev.ContentType, Header: ev.Header,
			Position: replhub.Position{Epoch: uint64(i), Seq: math.MaxUint64}, Row: uint64(i % 2), Time: time.Unix(1795000000, int64(i)).UTC(), Origin: g.maybe("user-profile"),
		}
		given := d
		given.Service, given.Attempt = "sharing", 3
		given.Header = map[string][]string{"Replhub-Position": {"1-2"}, "Nats-X": {"1"}, "Content-Type": {d.ContentType}}
		maps.Copy(given.Header, ev.Header)
		e, err := cloudevents.OfDelivery(&given)
		if err != nil {
			t.Fatalf("%+v: %v", given, err)
		}
		for name, parsed := range modes(t, e) {
			got, err := parsed.Delivery()
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if diff := cmp.Diff(d, got, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("%s of %+v (-want +got):\n%s", name, e, diff)
			}
		}
	}
}

// A CloudEvent that the SDK has made becomes an event by the rules, and is still that
// CloudEvent for whoever gets the event.
func TestCloudEventsOfOthers(t *testing.T) {
	theirs := event.New()
	theirs.SetID("A234-1234")
	theirs.SetSource("https://shop.example/orders")
	theirs.SetType("com.example.order.changed")
	theirs.SetSubject("order 7%")
	theirs.SetTime(time.Date(2026, 11, 29, 1, 2, 3, 4, time.UTC))
	theirs.SetDataSchema("https://shop.example/schema")
	theirs.SetExtension("partitionkey", "tenant-1")
	theirs.SetExtension("sampledrate", 30)
	theirs.SetExtension("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	if err := theirs.SetData("application/json", map[string]int{"total": 3}); err != nil {
		t.Fatal(err)
	}
	structured, err := json.Marshal(theirs)
	if err != nil {
		t.Fatal(err)
	}
	fromStructured, err := cloudevents.Parse(map[string][]string{"Content-Type": {"application/cloudevents+json; charset=utf-8"}}, structured)
	if err != nil {
		t.Fatal(err)
	}
	request := httpRequest(t, &theirs)
	body, err := io.ReadAll(request.Body)
	if err != nil {
		t.Fatal(err)
	}
	fromBinary, err := cloudevents.Parse(request.Header, body)
	if err != nil {
		t.Fatal(err)
	}
	rules := cloudevents.Rules{Types: map[string]cloudevents.Target{"com.example.order.changed": {Entity: "order", Op: replhub.Update}}}
	for name, e := range map[string]cloudevents.CloudEvent{"structured": fromStructured, "binary": fromBinary} {
		ev, err := e.Event(rules)
		if err != nil {
			t.Fatal(err)
		}
		want := replhub.Event{
			Entity: "order", Op: replhub.Update, Key: "order 7%", ID: theirs.Source() + " A234-1234", ContentType: "application/json", Data: []byte(`{"total":3}`),
		}
		if diff := cmp.Diff(want, ev, cmpopts.IgnoreFields(replhub.Event{}, "Header")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if ev.Header["ce-type"][0] != theirs.Type() || ev.Header["traceparent"][0] != fmt.Sprint(theirs.Extensions()["traceparent"]) {
			t.Errorf("%s: header %v", name, ev.Header)
		}
		ev.Header["Content-Type"] = []string{ev.ContentType} // as a delivery's Header has it
		again, err := cloudevents.Parse(ev.Header, ev.Data)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(e, again); diff != "" {
			t.Errorf("%s comes back changed (-want +got):\n%s", name, diff)
		}
	}
	noSubject := fromBinary
	noSubject.Subject = ""
	if ev, err := noSubject.Event(rules); err != nil || ev.Key != "tenant-1" {
		t.Errorf("without a subject the key is %q, %v", ev.Key, err)
	}
}

// What is refused says what is wrong.
func TestRefusedCloudEvents(t *testing.T) {
	plain := `"specversion":"1.0","id":"1","source":"/s","type":"db.user.update"`
	for _, tt := range []struct{ contentType, header, text, want string }{
		{"application/json", "", "{}", "no CloudEvent"},
		{"application/cloudevents+json", "", "[]", "no JSON object"},
		{"application/cloudevents+json", "", "{}", "specversion: is missing"},
		{"application/cloudevents+json", "", `{"specversion":"0.3"}`, `specversion: "0.3"`},
		{"application/cloudevents+json", "", `{"specversion":"1.0","source":"/s","type":"t"}`, "id: is missing"},
		{"application/cloudevents+json", "", `{"specversion":"1.0","id":"1","type":"t"}`, "source: is missing"},
		{"application/cloudevents+json", "", `{"specversion":"1.0","id":"1","source":"/s"}`, "type: is missing"},
		{"application/cloudevents+json", "", `{` + plain + `,"time":"yesterday"}`, "time:"},
		{"application/cloudevents+json", "", `{` + plain + `,"Bad_Name":"1"}`, "Bad_Name: is no name"},
		{"application/cloudevents+json", "", `{` + plain + `,"ext":{"a":1}}`, "ext: an attribute is"},
		{"application/cloudevents+json", "", `{` + plain + `,"ext":"a\nb"}`, "ext: has control"},
		{"application/cloudevents+json", "", `{` + plain + `,"datacontenttype":"/"}`, "datacontenttype:"},
		{"application/cloudevents+json", "", `{` + plain + `,"data":1,"data_base64":"AA=="}`, "data: is there beside"},
		{"application/cloudevents+json", "", `{` + plain + `,"data_base64":"?"}`, "data_base64: is no base64"},
		{"application/cloudevents-batch+json", "", `[]`, "one event at a time"},
		{"application/cloudevents+avro", "", ``, "this program reads"},
		{"", "ce-specversion: 1.0 ce-id: 1", "", "source: is missing"},
	} {
		header := map[string][]string{}
		if tt.contentType != "" {
			header["content-type"] = []string{tt.contentType}
		}
		for fields := strings.Fields(tt.header); len(fields) > 1; fields = fields[2:] {
			header[strings.TrimSuffix(fields[0], ":")] = []string{fields[1]}
		}
		_, err := cloudevents.Parse(header, []byte(tt.text))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %s %s: %v, want %q", tt.contentType, tt.header, tt.text, err, tt.want)
		}
	}
	whole := cloudevents.CloudEvent{ID: "1", Source: "/s", Type: "db.user.update"}
	if ev, err := whole.Event(cloudevents.Rules{}); err != nil || ev.Entity != "user" || ev.Op != replhub.Update {
		t.Errorf("%+v, %v", ev, err)
	}
	for change, want := range map[string]string{
		"com.example": "Rules.Types", "db.User.update": "Entity", "db.user.patch": "Op",
	} {
		other := whole
		other.Type = change
		if _, err := other.Event(cloudevents.Rules{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", change, err, want)
		}
	}
	ours, err := cloudevents.Of(replhub.Event{Entity: "user", Op: replhub.Update, ID: "1"}, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"epoch", "sequence", "row", "version", "replhubheaders"} {
		bad := ours
		bad.Extensions = map[string]string{"entity": "user", "op": "update", name: "x"}
		if _, err := bad.Event(cloudevents.Rules{}); err == nil || !strings.Contains(err.Error(), name+": ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	long := whole
	long.Subject = strings.Repeat("k", 2000)
	if _, err := long.Event(cloudevents.Rules{}); err == nil || !strings.Contains(err.Error(), "Key") {
		t.Errorf("a long subject: %v", err)
	}
	if _, err := cloudevents.Of(replhub.Event{Entity: "user", Op: replhub.Update}, ""); err == nil {
		t.Error("an event without an id has become a CloudEvent")
	}
}
