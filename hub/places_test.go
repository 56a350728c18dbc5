package hub_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/jsapi"
	"github.com/replhub/replhub/internal/testenv/cluster"
	"github.com/replhub/replhub/kvmap"
)

// worldOn is the world of a server that runs.
func worldOn(t *testing.T, server *cluster.NATS) *world {
	t.Helper()
	w := &world{t: t, server: server, dir: server.StoreDir(), url: server.URL(), patience: time.Minute}
	w.open()
	return w
}

// ends are two servers of one account, each with a JetStream of its own; join makes one
// the leafnode of the other.
type ends struct{ hub, leaf *world }

func newEnds(t *testing.T, hubDomain, leafDomain string, remote ...string) ends {
	t.Helper()
	hubOptions := []cluster.NATSOption{cluster.NATSName("hub"), cluster.NATSLeafnodes()}
	leafOptions := []cluster.NATSOption{cluster.NATSName("leaf")}
	if hubDomain != "" {
		hubOptions = append(hubOptions, cluster.NATSJetStream("domain: "+hubDomain))
	}
	if leafDomain != "" {
		leafOptions = append(leafOptions, cluster.NATSJetStream("domain: "+leafDomain))
	}
	server := cluster.StartNATS(t, hubOptions...)
	if remote != nil {
		leafOptions = append(leafOptions, cluster.NATSLeafOf(server, remote...))
	}
	e := ends{worldOn(t, server), worldOn(t, cluster.StartNATS(t, leafOptions...))}
	if remote != nil {
		server.AwaitLeaf()
	}
	return e
}

// join makes the leaf a leafnode of the hub.
func (e ends) join(remote ...string) {
	e.leaf.t.Helper()
	e.leaf.stopServer()
	e.leaf.server.Configure(cluster.NATSLeafOf(e.hub.server, remote...))
	e.leaf.startServer()
	e.hub.server.AwaitLeaf()
}

// joined is a leafnode without further lines.
func joined() []string { return []string{""} }

// begin runs a hub in a domain, which may refuse to start, and returns what it ends
// with.
func (w *world) begin(domain string, change ...func(*hub.Config)) (ready <-chan struct{}, ended <-chan error) {
	w.t.Helper()
	nc := w.connect()
	js, err := jsapi.Open(nc, domain)
	if err != nil {
		w.t.Fatal(err)
	}
	registry, err := kvmap.New(js, kvmap.Config{Records: hub.RegistryRecords(), Logger: quiet(w.t)})
	if err != nil {
		w.t.Fatal(err)
	}
	cfg := hub.Config{Conn: nc, Domain: domain, Registry: registry, Logger: quiet(w.t), StartTimeout: w.patience, TrimEvery: 200 * time.Millisecond}
	for _, c := range change {
		c(&cfg)
	}
	h, err := hub.New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done, over := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(over)
		done <- h.Run(ctx)
	}()
	w.t.Cleanup(func() {
		cancel()
		<-over
		nc.Close()
	})
	return h.Ready(), done
}

// refused waits until a hub has ended, and checks that it says why in one line.
func (w *world) refused(ended <-chan error, says ...string) {
	w.t.Helper()
	select {
	case err := <-ended:
		for _, part := range says {
			if err == nil || !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), "\n") {
				w.t.Fatalf("the hub ended with %v, want one line that says %q", err, part)
			}
		}
	case <-time.After(w.patience):
		w.t.Fatal("the hub did not end")
	}
}

// startIsRefused starts a hub, which must not get ready.
func (w *world) startIsRefused(says ...string) {
	w.t.Helper()
	ready, ended := w.begin("")
	select {
	case <-ready:
		w.t.Fatal("the hub got ready")
	case err := <-ended:
		again := make(chan error, 1)
		again <- err
		w.refused(again, says...)
	case <-time.After(w.patience):
		w.t.Fatal("the hub neither ended nor got ready")
	}
}

func (w *world) await(ready <-chan struct{}, ended <-chan error) {
	w.t.Helper()
	select {
	case <-ready:
	case err := <-ended:
		w.t.Fatalf("hub: %v", err)
	case <-time.After(w.patience):
		w.t.Fatal("the hub did not get ready")
	}
}

// A hub that starts at the other end of a leafnode refuses before it has created a
// stream, whether the servers have domains or not, and also beside the streams of a hub
// that is not running.
func TestHubAtTheOtherEndOfALeafnodeIsRefused(t *testing.T) {
	for name, tt := range map[string]struct{ hub, leaf string }{
		"domains": {"hub", "leaf"}, "a domain at the leaf": {"", "leaf"}, "no domains": {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnds(t, tt.hub, tt.leaf, joined()...)
			stop := e.hub.startHub()
			e.leaf.startIsRefused("another installation", "REPLHUB_JS_DOMAIN")
			e.leaf.hasNoStreams()
			stop()
			e.leaf.startIsRefused("REPLHUB_LEDGER", "REPLHUB_JS_DOMAIN")
			e.leaf.hasNoStreams()
		})
	}
}

func (w *world) hasNoStreams() {
	w.t.Helper()
	for name := range w.js.StreamNames(w.t.Context()).Name() {
		w.t.Errorf("stream %s was created", name)
	}
}

// Hubs whose servers are joined while they run both end, as do hubs that were there
// before.
func TestLeafnodeThatIsConnectedLaterEndsBothHubs(t *testing.T) {
	e := newEnds(t, "hub", "leaf")
	hubReady, hubEnded := e.hub.begin("")
	leafReady, leafEnded := e.leaf.begin("")
	e.hub.await(hubReady, hubEnded)
	e.leaf.await(leafReady, leafEnded)
	e.join()
	// The one that ends first may leave no more than its streams to be found.
	e.hub.refused(hubEnded, "a leafnode may have joined the two", "REPLHUB_JS_DOMAIN")
	e.leaf.refused(leafEnded, "a leafnode may have joined the two", "REPLHUB_JS_DOMAIN")
	e.hub.startIsRefused("REPLHUB_JS_DOMAIN")
}

// A restart does not wait for answers of other installations, as the hub was alone
// before. A start after another installation was found waits for them.
func TestRestartWaitsOnlyBesideAnotherInstallation(t *testing.T) {
	w := newWorld(t)
	w.startHub()()
	sub, err := w.nc.Subscribe("replhub._to.@all.place.hub", func(m *nats.Msg) {
		if m.Reply != "" {
			_ = w.nc.Publish(m.Reply, []byte(`{"installation":"other","hub":"theirs"}`)) // a lost answer shows below
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	ready, ended := w.begin("")
	select {
	case <-ready:
	case <-time.After(w.patience):
		t.Fatal("the hub waited for another installation's answer")
	}
	w.refused(ended, "hub theirs of another installation")
	w.startIsRefused("hub theirs of another installation")
	if err := sub.Unsubscribe(); err != nil {
		t.Fatal(err)
	}
	w.startHub()()
}

// A server that gets a domain while a hub is away from it is another place to the hub,
// which ends; the next start goes on there.
func TestServerThatGetsADomain(t *testing.T) {
	w := newWorld(t)
	ready, ended := w.begin("")
	w.await(ready, ended)
	w.stopServer()
	w.server.Configure(cluster.NATSJetStream("domain: late"))
	w.startServer()
	w.refused(ended, `("late")`, "start the hub again")
	ready, ended = w.begin("")
	w.await(ready, ended)
}

// Hubs that share control verbs and no streams are of two installations, and are told
// apart from two hubs of one by the installation's id.
func TestHubsThatShareOnlyTheControlVerbs(t *testing.T) {
	deny := `deny_exports: ["db.>", "sub.>", "dlq.>", "replhub._ledger", "replhub._members.>"], deny_imports: ["db.>", "sub.>", "dlq.>", "replhub._ledger", "replhub._members.>"]`
	e := newEnds(t, "", "", deny)
	ready, ended := e.hub.begin("")
	e.hub.await(ready, ended)
	again, endedAgain := e.hub.begin("")
	e.hub.await(again, endedAgain)
	_, leafEnded := e.leaf.begin("")
	e.leaf.refused(leafEnded, "another installation", "account of its own")
	select {
	case err := <-ended:
		t.Errorf("the first hub ended: %v", err)
	case err := <-endedAgain:
		t.Errorf("the second hub of the installation ended: %v", err)
	default:
	}
}

// The installation's id outlives whatever is deleted while a hub runs, and a start.
func TestInstallationKeepsItsID(t *testing.T) {
	w := newWorld(t)
	id := func() (id string, err error) {
		m, err := w.js.Stream(t.Context(), "REPLHUB_LEDGER")
		if err != nil {
			return "", err
		}
		doc, err := m.GetLastMsgForSubject(t.Context(), "replhub._ledger")
		if err != nil {
			return "", err
		}
		_, text, found := strings.Cut(string(doc.Data), `"installation":"`)
		if !found {
			return "", fmt.Errorf("no id in %s", doc.Data)
		}
		id, _, _ = strings.Cut(text, `"`)
		return id, nil
	}
	ready, ended := w.begin("")
	w.await(ready, ended)
	first, err := id()
	if err != nil {
		t.Fatal(err)
	}
	w.deleteStream("REPLHUB_LEDGER")
	same := func() error {
		now, err := id()
		if err == nil && now != first {
			err = fmt.Errorf("the id is %s, and was %s", now, first)
		}
		return err
	}
	w.eventually("the id to be back", same)
	// A hub of an older version writes the ledger without it.
	if _, err := w.js.Publish(t.Context(), "replhub._ledger", []byte(`{"epochs":[],"floor":0}`)); err != nil {
		t.Fatal(err)
	}
	w.eventually("the id to be written again", same)
	second, secondEnded := w.begin("")
	w.await(second, secondEnded)
	w.eventually("the id to stay", same)
}

// One hub at the leaf works in the other domain, and the events of both ends reach
// workers at both ends once.
func TestHubAtTheLeafWorksInTheDomainOfTheHub(t *testing.T) {
	e := newEnds(t, "hub", "leaf", joined()...)
	ready, ended := e.leaf.begin("hub")
	e.leaf.await(ready, ended)
	// The leafnode passes on a moment later who answers.
	e.hub.eventually("the hub to answer", func() error { return e.hub.call("replhub.status", "", nil) })
	e.hub.eventually("the verb to be known", func() error { return e.hub.call("replhub.register.sharing", `{"entities":["user"]}`, nil) })
	e.hub.register("sharing", `{"entities":["user"]}`)
	e.hub.publish("db.user.create", `{"id":"1"}`)
	e.leaf.publish("db.user.create", `{"id":"2"}`)
	for n, m := range e.hub.copies("sharing", 2) {
		if want := fmt.Sprintf(`{"id":"%d"}`, n+1); string(m.Data) != want {
			t.Errorf("copy %d is %s, want %s", n, m.Data, want)
		}
	}
	leaf, err := jsapi.Open(e.leaf.nc, "hub")
	if err != nil {
		t.Fatal(err)
	}
	workers, err := leaf.Consumer(t.Context(), "SUB_sharing", "workers")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		m, err := workers.Next(jetstream.FetchMaxWait(20 * time.Second))
		if err != nil {
			t.Fatal(err)
		}
		if err := m.DoubleAck(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	e.leaf.hasNoStreams()
	e.hub.eventually("the registration to be in the registry", func() error {
		bucket, err := e.hub.js.KeyValue(t.Context(), "REPLHUB")
		if err == nil {
			_, err = bucket.Get(t.Context(), "entities.user.sharing")
		}
		return err
	})
}

// An edge keeps its events in a stream of its own, under a prefix, while it is cut off.
// Ingest takes them from there once, with the keys and headers that they have, and
// keeps its source when the hub changes its settings.
func TestEdgeIsSourcedIntoIngest(t *testing.T) {
	e := newEnds(t, "hub", "leaf", joined()...)
	stop := e.hub.startHub()
	e.hub.register("sharing", `{"entities":["user"]}`)
	if _, err := e.leaf.js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "EDGE", Subjects: []string{"edge.db.>"}}); err != nil {
		t.Fatal(err)
	}
	db := e.hub.stream("DB").CachedInfo().Config
	db.Sources = []*jetstream.StreamSource{{
		Name: "EDGE", Domain: "leaf", SubjectTransforms: []jetstream.SubjectTransformConfig{{Source: "edge.db.>", Destination: "db.>"}},
	}}
	if _, err := e.hub.js.UpdateStream(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	e.leaf.publish("edge.db.user.create", `{"id":"1"}`, "Replhub-Origin", "till")
	e.hub.copies("sharing", 1)
	stop()
	stop = e.hub.startHub(func(c *hub.Config) { c.IngestMaxBytes = 1 << 30 })
	e.hub.publish("db.user.update", `{"id":"2"}`, "Nats-Msg-Id", "twice")
	e.leaf.publish("edge.db.user.update", `{"id":"2"}`, "Nats-Msg-Id", "twice") // one event
	e.leaf.publish("edge.db.user.update", `{"id":"1","n":2}`)
	var keys []string
	for _, m := range e.hub.copies("sharing", 3) {
		keys = append(keys, m.Header.Get("Replhub-Key")+" "+m.Header.Get("Replhub-Origin"))
		if m.Header.Get("Nats-Stream-Source") != "" {
			t.Errorf("a copy has the server's header: %v", m.Header)
		}
	}
	slices.Sort(keys[1:])
	if want := []string{"1 till", "1 ", "2 "}; !slices.Equal(keys, want) {
		t.Errorf("copies %q, want %q", keys, want)
	}
	stop()
}

// A mirror of ingest and ledger in another place is refused until somebody promotes
// it. Then an epoch begins behind those of the lost place: what is published there is
// newer than every position that replicas know.
func TestPromotedMirrorBeginsAnEpoch(t *testing.T) {
	e := newEnds(t, "hub", "leaf", joined()...)
	stop := e.hub.startHub()
	e.hub.publish("db.user.create", `{"id":"1"}`)
	for _, name := range []string{"DB", "REPLHUB_LEDGER"} {
		mirror := jetstream.StreamConfig{
			Name: name, Mirror: &jetstream.StreamSource{Name: name, Domain: "hub"}, Metadata: map[string]string{"replhub": "1"},
		}
		if _, err := e.leaf.js.CreateStream(t.Context(), mirror); err != nil {
			t.Fatal(err)
		}
	}
	e.leaf.eventually("the mirrors to follow", func() error {
		for _, name := range []string{"DB", "REPLHUB_LEDGER"} {
			if have, want := e.leaf.stream(name).CachedInfo().State.LastSeq, e.hub.stream(name).CachedInfo().State.LastSeq; have < want {
				return fmt.Errorf("%s is at %d of %d", name, have, want)
			}
		}
		return nil
	})
	stop()
	e.hub.stopServer()
	_, ended := e.leaf.begin("")
	e.leaf.refused(ended, "is a mirror", "promote")
	for _, name := range []string{"DB", "REPLHUB_LEDGER"} {
		promoted := e.leaf.stream(name).CachedInfo().Config
		promoted.Mirror = nil
		if _, err := e.leaf.js.UpdateStream(t.Context(), promoted); err != nil {
			t.Fatal(err)
		}
	}
	ready, ended := e.leaf.begin("")
	e.leaf.await(ready, ended)
	e.leaf.publish("db.user.update", `{"id":"1","n":2}`)
	e.leaf.register("sharing", `{"interests":[{"entity":"user","start":"all"}]}`)
	for n, m := range e.leaf.copies("sharing", 2) {
		if at, want := m.Header.Get("Replhub-Position"), fmt.Sprintf("2-%d", n+1); at != want {
			t.Errorf("copy %d is at %q, want %q: %v", n, at, want, m.Header)
		}
	}
}
