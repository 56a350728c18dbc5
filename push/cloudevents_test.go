package push_test

import (
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2/protocol/http"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/push"
)

// The SDK of CloudEvents, which somebody else has written, takes each request for a valid
// event, and finds in it what was published.
func TestCloudEventsSDKReadsRequests(t *testing.T) {
	cfg := push.Config{Service: "sharing", URL: "https://example.com/hook", Secrets: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
	at := time.Date(2026, 11, 28, 12, 0, 0, 5, time.UTC)
	for name, d := range map[string]*replhub.Delivery{
		"an update": {Op: replhub.Update, Key: "42", Data: []byte(`{"id":"42"}`), Origin: "user-profile", Version: 7},
		"a row":     {Op: replhub.Create, Key: "42", Data: []byte(`{"id":"42"}`), Row: 3},
		"a delete":  {Op: replhub.Delete, Key: "42"},
		"no key":    {Op: replhub.Create, Data: []byte("\x00\x01"), ContentType: "application/vnd.own"},
		"odd":       {Op: replhub.Update, Key: `naïve "4" %`, Data: []byte(`[]`), Origin: "a_b-c"},
	} {
		d.Service, d.Entity, d.ID, d.Time, d.Position = "sharing", "user", "ev.1", at, replhub.Position{Epoch: 2, Seq: 18446744073709551615}
		req, err := push.Preview(t.Context(), cfg, d)
		if err != nil {
			t.Fatal(err)
		}
		ev, err := cloudevents.NewEventFromHTTPRequest(req)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := ev.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		extensions := ev.Extensions()
		if ev.ID() != d.ID || ev.Type() != "db.user."+string(d.Op) || !ev.Time().Equal(at) || string(ev.Data()) != string(d.Data) || ev.SpecVersion() != "1.0" ||
			extensions["epoch"] != "2" || extensions["sequence"] != "18446744073709551615" || extensions["entity"] != "user" {
			t.Errorf("%s: read as %s", name, ev)
		}
		if d.Key == "42" && (ev.Subject() != "42" || extensions["key"] != "42") {
			t.Errorf("%s: the key is read as %q and %v", name, ev.Subject(), extensions["key"])
		}
		if d.ContentType != "" && ev.DataContentType() != d.ContentType {
			t.Errorf("%s: read as %s", name, ev.DataContentType())
		}
	}
}
