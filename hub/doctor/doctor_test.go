package doctor_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/hub/doctor"
	"github.com/replhub/replhub/internal/testenv/cluster"
	"github.com/replhub/replhub/internal/testenv/natstest"
	"github.com/replhub/replhub/zkmap"
)

// What is well has no warning and no failure: one server.
func TestHealthy(t *testing.T) {
	server := cluster.StartNATS(t)
	s := newSite(t, server.URL())
	url, _ := s.hub()
	s.ask("replhub.register.sharing", `{"entities":["user"]}`)
	s.ask("replhub.register.audit", `{"interests":[{"entity":"user"}],"queue":{"order":"key","partitions":2}}`)
	r := s.look(func(c *doctor.Config) {
		c.HTTP, c.Monitors = []doctor.Endpoint{{URL: url}}, []string{server.MonitorURL()}
	})
	expect(t, r, nil, nil)
	if unseen := r.Of(doctor.Unseen); len(unseen) > 0 {
		t.Errorf("unseen: %+v", unseen)
	}
	for _, group := range []string{
		doctor.GroupServer, doctor.GroupAccount, doctor.GroupRights, doctor.GroupClock, doctor.GroupStreams, doctor.GroupPlace,
		doctor.GroupRegistry, doctor.GroupHubs, doctor.GroupLanes, doctor.GroupHTTP, doctor.GroupDisk,
	} {
		if !slices.ContainsFunc(r.Of(doctor.Pass), func(f doctor.Finding) bool { return f.Group == group }) {
			t.Errorf("nothing passes in %s", group)
		}
	}
}

// Two hubs on three servers, with three replicas.
func TestHealthyCluster(t *testing.T) {
	servers := cluster.StartNATSCluster(t, 3)
	s := newSite(t, servers.URL())
	s.hub(func(c *hub.Config) { c.ID = "one" })
	s.hub(func(c *hub.Config) { c.ID = "two" })
	s.ask("replhub.register.sharing", `{"entities":["user"]}`)
	var monitors []string
	for _, name := range []string{"n1", "n2", "n3"} {
		monitors = append(monitors, servers.Node(name).MonitorURL())
	}
	// New replicas are current a moment later.
	s.await(nil, nil, func(c *doctor.Config) { c.Monitors = monitors })
	r := s.look()
	for _, hub := range []string{"one", "two"} {
		if !slices.ContainsFunc(r.Of(doctor.Pass), func(f doctor.Finding) bool { return f.Check == "hubs.running" && f.About == hub }) {
			t.Errorf("hub %s is not among %+v", hub, r.Findings)
		}
	}
	servers.Node("n3").Stop()
	s.await(nil, []string{"streams.replicas"})
}

// A registry in ZooKeeper, which is then stopped.
func TestZooKeeper(t *testing.T) {
	s := newSite(t, natstest.Start(t).URL())
	z := cluster.StartZooKeeper(t)
	at := func(c *doctor.Config) { c.ZooKeeper = &doctor.ZooKeeper{Servers: z.Servers(), Root: "/replhub"} }
	expect(t, s.look(at), []string{"hubs.running"}, []string{"registry.root", "streams.missing"})
	s.hub(func(c *hub.Config) {
		registry, err := zkmap.New(zkmap.Config{Servers: z.Servers(), Records: hub.RegistryRecords(), Folders: hub.RegistryFolders()})
		if err != nil {
			t.Fatal(err)
		}
		c.Registry, c.RegistryKind = registry, "zk"
	})
	expect(t, s.look(at), nil, nil)
	expect(t, s.look(at, func(c *doctor.Config) { c.ZooKeeper.Auth = "replhub:secret" }), nil, []string{"registry.acl"})
	z.Stop()
	s.await([]string{"registry.connected", "registry.zookeeper"}, []string{"hubs.degraded", "registry.server"}, at)
}

// Each thing that is broken is found, and nothing else is.
func TestFinds(t *testing.T) {
	for name, tt := range map[string]struct {
		breaks       func(s *site, stop func())
		look         func(*doctor.Config)
		fails, warns []string
	}{
		"no hub": {
			breaks: func(_ *site, stop func()) { stop() },
			fails:  []string{"hubs.running"},
		},
		"a stream is deleted": {
			breaks: func(s *site, stop func()) { stop(); s.delete("DLQ") },
			fails:  []string{"hubs.running", "streams.missing"},
		},
		"events age": {
			breaks: func(s *site, _ func()) { s.edit("DB", func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour }) },
			fails:  []string{"streams.settings"},
		},
		"a lane discards the old": {
			breaks: func(s *site, _ func()) {
				s.edit("SUB_sharing", func(c *jetstream.StreamConfig) { c.Discard, c.MaxBytes = jetstream.DiscardOld, 1<<20 })
			},
			fails: []string{"streams.settings"},
		},
		"the mark is gone": {
			breaks: func(s *site, _ func()) { s.edit("DLQ", func(c *jetstream.StreamConfig) { c.Metadata = nil }) },
			fails:  []string{"streams.foreign"},
		},
		"workers are paused": {
			breaks: func(s *site, _ func()) { s.ask("replhub.pause.sharing", `{"for":"1h"}`) },
			warns:  []string{"lanes.paused"},
		},
		"a clock is behind": {
			look:  func(c *doctor.Config) { c.Clock = func() time.Time { return time.Now().Add(2 * time.Minute) } },
			fails: []string{"clock.difference"},
		},
		"a clock is a little ahead": {
			look:  func(c *doctor.Config) { c.Clock = func() time.Time { return time.Now().Add(-5 * time.Second) } },
			warns: []string{"clock.difference"},
		},
		"no hub's HTTP": {
			look:  func(c *doctor.Config) { c.HTTP = []doctor.Endpoint{{URL: "http://127.0.0.1:1"}} },
			fails: []string{"http.ready"},
		},
		"nothing where HTTP is by default": {
			look: func(c *doctor.Config) { c.HTTP = []doctor.Endpoint{{URL: "http://127.0.0.1:1", Guessed: true}} },
		},
		"no monitoring": {
			look:  func(c *doctor.Config) { c.Monitors = []string{"http://127.0.0.1:1"} },
			fails: []string{"disk.monitor"},
		},
		"ZooKeeper that is not the registry": {
			look: func(c *doctor.Config) {
				c.ZooKeeper = &doctor.ZooKeeper{Servers: []string{"127.0.0.1:1"}, Root: "/replhub"}
			},
			fails: []string{"registry.kind", "registry.zookeeper"},
			warns: []string{"registry.server"},
		},
		"two installations": {
			breaks: func(s *site, stop func()) {
				stop()
				for _, id := range []string{"a", "b"} {
					s.subscribe("replhub._to.@all.place.hub", `{"installation":"`+id+`","hub":"`+id+`"}`)
				}
			},
			fails: []string{"hubs.running", "place.installations"},
		},
		"another domain": {
			breaks: func(s *site, stop func()) {
				stop()
				s.subscribe("replhub._to.@all.place.hub", `{"installation":"a","hub":"a","domain":"leaf"}`)
			},
			fails: []string{"hubs.running", "place.domain"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, natstest.Start(t).URL())
			_, stop := s.hub()
			s.ask("replhub.register.sharing", `{"entities":["user"]}`)
			if tt.breaks != nil {
				tt.breaks(s, stop)
			}
			look := tt.look
			if look == nil {
				look = func(*doctor.Config) {}
			}
			r := s.look(look)
			// What a hub says of the same trouble comes when it has noticed.
			r.Findings = slices.DeleteFunc(r.Findings, func(f doctor.Finding) bool {
				return f.Check == "hubs.degraded" || f.Check == "hubs.alarm" || f.Check == "http.degraded"
			})
			expect(t, r, tt.fails, tt.warns)
		})
	}
}

func (s *site) delete(stream string) {
	s.t.Helper()
	if err := s.js.DeleteStream(s.t.Context(), stream); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) create(cfg jetstream.StreamConfig) {
	s.t.Helper()
	if _, err := s.js.CreateStream(s.t.Context(), cfg); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) edit(stream string, change func(*jetstream.StreamConfig)) {
	s.t.Helper()
	have, err := s.js.Stream(s.t.Context(), stream)
	if err != nil {
		s.t.Fatal(err)
	}
	cfg := have.CachedInfo().Config
	change(&cfg)
	if _, err := s.js.UpdateStream(s.t.Context(), cfg); err != nil {
		s.t.Fatal(err)
	}
}

// subscribe answers as a hub would.
func (s *site) subscribe(subject, answer string) {
	s.t.Helper()
	sub, err := s.nc.Subscribe(subject, func(m *nats.Msg) { _ = m.Respond([]byte(answer)) })
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = sub.Unsubscribe() })
	if err := s.nc.Flush(); err != nil {
		s.t.Fatal(err)
	}
}

// Before the first hub there is nothing but what others have.
func TestFindsOthersBeforeTheFirstHub(t *testing.T) {
	s := newSite(t, natstest.Start(t).URL())
	s.create(jetstream.StreamConfig{Name: "THEIRS", Subjects: []string{"db.>"}})
	s.create(jetstream.StreamConfig{Name: "SUB_sharing", Subjects: []string{"others.>"}})
	s.create(jetstream.StreamConfig{Name: "FINE", Subjects: []string{"dbs.>"}})
	r := s.look()
	expect(t, r, []string{"hubs.running", "streams.foreign", "streams.overlap"}, []string{"streams.missing"})
	for _, f := range r.Of(doctor.Fail) {
		if f.About == "FINE" {
			t.Errorf("%+v", f)
		}
	}
}

// Limits of an account are named when they are nearly reached.
func TestFindsLimits(t *testing.T) {
	for name, tt := range map[string]struct {
		limits       string
		fails, warns []string
	}{
		"room":           {"max_file: 64G, max_streams: 100, max_consumers: 100", nil, nil},
		"streams":        {"max_file: 64G, max_streams: 7, max_consumers: 100", nil, []string{"account.streams"}},
		"storage":        {"max_file: 290M, max_streams: 100", nil, []string{"account.storage"}},
		"consumers":      {"max_file: 64G, max_consumers: 1", nil, []string{"account.consumers"}},
		"bytes required": {"max_file: 64G, max_bytes_required: true", nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			server := cluster.StartNATS(t, cluster.NATSConfig("accounts { A { jetstream { "+tt.limits+" }, users: [{user: a, password: a}] } }\nno_auth_user: a"))
			s := newSite(t, server.URL())
			s.hub(func(c *hub.Config) { c.IngestMaxBytes, c.DLQMaxBytes = 128<<20, 64<<20 })
			s.ask("replhub.register.sharing", `{"entities":["user"],"max_bytes":1048576}`)
			r := s.look()
			r.Findings = slices.DeleteFunc(r.Findings, func(f doctor.Finding) bool { return f.Check == "hubs.degraded" })
			expect(t, r, tt.fails, tt.warns)
		})
	}
}

// A server that is too old, and one that has no JetStream.
func TestFindsServersThatDoNotDo(t *testing.T) {
	old := newSite(t, natstest.StartOld(t, "2.11.9"))
	r := old.look(func(c *doctor.Config) { c.Timeout = 50 * time.Millisecond })
	if got := checks(r, doctor.Fail); !slices.Contains(got, "server.version") {
		t.Errorf("an old server: %v", got)
	}
	if r := doctor.Run(t.Context(), doctor.Config{NoConn: nats.ErrNoServers, Timeout: time.Second}); !slices.Equal(checks(r, doctor.Fail), []string{"server.reachable"}) {
		t.Errorf("no server: %+v", r.Findings)
	}
	server := cluster.StartNATS(t, cluster.NATSConfig("accounts { A { users: [{user: a, password: a}] } }\nno_auth_user: a"))
	expect(t, newSite(t, server.URL()).look(), []string{"hubs.running", "server.jetstream"}, nil)
}

// Only requests that read are sent, and nothing is created where there is nothing.
func TestNothingIsChanged(t *testing.T) {
	s := newSite(t, natstest.Start(t).URL())
	var mu sync.Mutex
	var sent []string
	spy := s.connect()
	if _, err := spy.Subscribe(">", func(m *nats.Msg) {
		mu.Lock()
		defer mu.Unlock()
		if !strings.HasPrefix(m.Subject, "_INBOX.") && !strings.HasPrefix(m.Subject, "$JS.EVENT.") {
			sent = append(sent, m.Subject)
		}
	}); err != nil {
		t.Fatal(err)
	}
	if err := spy.Flush(); err != nil {
		t.Fatal(err)
	}
	s.look(func(c *doctor.Config) { c.Timeout = 100 * time.Millisecond }) // the spy keeps "no responders" from being said
	if err := spy.Flush(); err != nil {
		t.Fatal(err)
	}
	account, err := s.js.AccountInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if account.Streams != 0 || account.Consumers != 0 || account.Store != 0 {
		t.Errorf("created: %+v", account)
	}
	mu.Lock()
	defer mu.Unlock()
	for _, subject := range sent {
		reads := slices.ContainsFunc([]string{"$JS.API.INFO", "$JS.API.STREAM.INFO.", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.LIST", "$SYS.REQ.USER.INFO", "replhub.status", "replhub.services", "replhub.policies", "replhub._to.@all.place.hub"},
			func(p string) bool { return strings.HasPrefix(subject, p) })
		if !reads {
			t.Errorf("sent: %s", subject)
		}
	}
	if len(sent) < 4 {
		t.Errorf("the spy has seen only %q", sent)
	}
}

// A lane that is full, and one with a dead letter.
func TestFindsLanesInTrouble(t *testing.T) {
	s := newSite(t, natstest.Start(t).URL())
	s.hub()
	s.ask("replhub.register.full", `{"entities":["user"],"max_bytes":65536}`)
	s.ask("replhub.register.poisoned", `{"entities":["tenant"]}`)
	for range 50 {
		if _, err := s.js.Publish(t.Context(), "db.user.update", []byte(`{"id":"42","text":"`+strings.Repeat("x", 4000)+`"}`)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.js.Publish(t.Context(), "db.tenant.update", []byte(`{"id":"1"}`)); err != nil {
		t.Fatal(err)
	}
	workers, err := s.js.Consumer(t.Context(), "SUB_poisoned", "workers")
	if err != nil {
		t.Fatal(err)
	}
	m, err := workers.Next(jetstream.FetchMaxWait(patience))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.TermWithReason("poison"); err != nil {
		t.Fatal(err)
	}
	s.await([]string{"lanes.state"}, []string{"hubs.degraded", "lanes.dead_letters"}) // the hub says so of the full one, too
}
