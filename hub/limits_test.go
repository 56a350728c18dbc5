package hub_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/cluster"
)

// newLimited is a world in an account with limits, in nats-server's notation.
func newLimited(t *testing.T, limits string) *world {
	t.Helper()
	w := worldOn(t, cluster.StartNATS(t, cluster.NATSConfig(limited(limits))))
	return w
}

func limited(limits string) string {
	return fmt.Sprintf("accounts { A { jetstream { %s }, users: [ { user: a, password: a } ] } }\nno_auth_user: a", limits)
}

func smallStreams(c *hub.Config) {
	c.IngestMaxBytes, c.LaneMaxBytes, c.DLQMaxBytes, c.TrimEvery = 16<<20, 8<<20, 8<<20, 100*time.Millisecond
}

// An account that demands a limit of every stream gets one, and a lane that may hold more
// than before has a stream with room for that.
func TestAccountThatDemandsBytes(t *testing.T) {
	w := newLimited(t, "max_file: 1G, max_bytes_required: true")
	stop := w.startHub(smallStreams)
	w.register("sharing", `{"entities":["user"]}`)
	w.publish("db.user.create", `{"id":"1"}`)
	w.consume("sharing", "workers", 1)
	for name := range w.js.StreamNames(t.Context()).Name() {
		if limit := w.stream(name).CachedInfo().Config.MaxBytes; limit <= 0 {
			t.Errorf("stream %s has no limit", name)
		}
	}
	before := w.stream("SUB_sharing").CachedInfo().Config.MaxBytes
	w.register("sharing", `{"entities":["user"],"max_bytes":67108864}`)
	if after := w.stream("SUB_sharing").CachedInfo().Config.MaxBytes; after < 64<<20 || before < 8<<20 {
		t.Errorf("the lane's stream had %d bytes, and then %d for a lane of 64 MiB", before, after)
	}
	refusal := asRefusal(t, w.call("replhub.register.sharing", `{"entities":["user"],"max_bytes":2147483648}`, nil))
	if refusal.Code != contract.CodeLimit || !strings.Contains(refusal.Message, "max_file") {
		t.Errorf("a lane larger than the account: %v", refusal)
	}
	stop()
	w.startHub(smallStreams)
}

// A registration that a limit of the account refuses says which to raise, and changes
// nothing for others.
func TestRegistrationBeyondALimit(t *testing.T) {
	plain := `{"entities":["user"],"max_bytes":33554432}`
	for name, tt := range map[string]struct{ limits, request, says, degraded string }{
		"max_streams":           {"max_file: 1G, max_streams: 7", plain, "raise max_streams", "no further stream"},
		"max_consumers":         {"max_file: 1G, max_consumers: 2", `{"entities":["user"],"queue":{"order":"key","partitions":4}}`, "raise max_consumers", "creating them"},
		"max_file":              {"max_file: 300M, max_bytes_required: true", plain, "raise max_file", "raise max_file"},
		"disk_max_stream_bytes": {"max_file: 1G, disk_max_stream_bytes: 70M, max_bytes_required: true", `{"entities":["user"],"max_bytes":67108864}`, "raise disk_max_stream_bytes", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newLimited(t, tt.limits)
			o := w.observe(nil, smallStreams)
			var err error
			for n := 0; n < 3 && err == nil; n++ {
				err = w.call(fmt.Sprintf("replhub.register.s%d", n), tt.request, nil)
			}
			if err == nil {
				t.Fatal("every registration is accepted")
			}
			if refusal := asRefusal(t, err); refusal.Code != contract.CodeLimit || !strings.Contains(refusal.Message, tt.says) {
				t.Fatalf("refused with %v, want %q", refusal, tt.says)
			}
			if tt.degraded != "" {
				o.awaitHealth(w, http.StatusOK, tt.degraded)
			}
		})
	}
}

// A server that limits the unacknowledged copies of a consumer gives the hub's consumers
// that limit.
func TestAccountWithFewUnacknowledgedCopies(t *testing.T) {
	w := newLimited(t, "max_file: 1G, max_ack_pending: 500")
	w.startHub(smallStreams)
	w.register("sharing", `{"entities":["user"]}`)
	c, err := w.js.Consumer(t.Context(), "SUB_sharing", "workers")
	if err != nil {
		t.Fatal(err)
	}
	if limit := c.CachedInfo().Config.MaxAckPending; limit != 500 {
		t.Errorf("the consumer's limit is %d", limit)
	}
}

// A limit that is raised later finishes a registration that it had refused in part, and
// lets through what it had refused as a whole.
func TestRaisedLimit(t *testing.T) {
	w := newLimited(t, "max_file: 1G, max_consumers: 2, max_streams: 7")
	o := w.observe(nil, smallStreams)
	keyed := `{"entities":["user"],"queue":{"order":"key","partitions":4}}`
	if refusal := asRefusal(t, w.call("replhub.register.keyed", keyed, nil)); refusal.Code != contract.CodeLimit {
		t.Fatal(refusal)
	}
	if refusal := asRefusal(t, w.call("replhub.register.more", `{"entities":["user"]}`, nil)); refusal.Code != contract.CodeLimit {
		t.Fatal(refusal)
	}
	o.awaitHealth(w, http.StatusOK, "no further stream")
	w.publish("db.user.update", `{"id":"1"}`)
	w.server.SetConfig(cluster.NATSConfig(limited("max_file: 1G, max_consumers: 8, max_streams: 20")))
	for p := range 4 {
		w.awaitConsumer("keyed", fmt.Sprintf("workers-%d", p))
	}
	w.eventually("the end of what is degraded", func() error {
		if _, health := readyz(t, o.Hub); len(health.Degraded) > 0 {
			return fmt.Errorf("degraded %q", health.Degraded)
		}
		return nil
	})
	w.copies("keyed", 1)
	w.register("more", `{"entities":["user"]}`)
	w.publish("db.user.update", `{"id":"2"}`)
	w.copies("more", 1)
}

// A stream whose first record was refused is no lane yet: it holds up no trim, is no
// trouble, and the next registration goes on with it.
func TestEmptyStreamOfARegistration(t *testing.T) {
	w := newWorld(t)
	o := w.observe(nil, func(c *hub.Config) {
		c.History, c.TrimGuard, c.TrimEvery = time.Millisecond, time.Millisecond, 20*time.Millisecond
	})
	if _, err := w.js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: "SUB_new", Subjects: []string{"sub.new.>"}, Discard: jetstream.DiscardNew, DenyDelete: true, AllowAtomicPublish: true,
		Metadata: map[string]string{contract.MetadataKey: contract.MetadataValue},
	}); err != nil {
		t.Fatal(err)
	}
	w.register("s", `{"entities":["user"]}`)
	for i := range 3 {
		w.users(10*i, 10*i+10)
		w.copies("s", 10*i+10)
	}
	w.eventually("a trim of ingest", func() error {
		if first := w.stream(contract.StreamIngest).CachedInfo().State.FirstSeq; first < 10 {
			return fmt.Errorf("it begins at %d", first)
		}
		return nil
	})
	if _, health := readyz(t, o.Hub); len(health.Degraded) > 0 {
		t.Errorf("degraded %q", health.Degraded)
	}
	w.register("new", `{"entities":["user"]}`)
	w.users(30, 31)
	w.copies("new", 1)
}
