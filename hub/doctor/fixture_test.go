package doctor_test

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/hub/doctor"
	"github.com/replhub/replhub/kvmap"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds each wait for a server or a hub.
const patience = 30 * time.Second

// site is an installation for one test.
type site struct {
	t   *testing.T
	url string
	nc  *nats.Conn
	js  jetstream.JetStream
}

func newSite(t *testing.T, url string) *site {
	t.Helper()
	s := &site{t: t, url: url}
	s.nc = s.connect()
	var err error
	if s.js, err = jetstream.New(s.nc); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *site) connect() *nats.Conn {
	s.t.Helper()
	nc, err := nats.Connect(s.url, nats.DontRandomize(), nats.MaxReconnects(-1))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(nc.Close)
	return nc
}

// hub runs a hub until the test ends, or stop is called, and returns the address of its
// HTTP.
func (s *site) hub(change ...func(*hub.Config)) (url string, stop func()) {
	s.t.Helper()
	nc := s.connect()
	js, err := jetstream.New(nc)
	if err != nil {
		s.t.Fatal(err)
	}
	registry, err := kvmap.New(js, kvmap.Config{Records: hub.RegistryRecords()})
	if err != nil {
		s.t.Fatal(err)
	}
	return s.hubOn(nc, registry, change...)
}

// hubOn is hub on a connection and a registry of its own.
func (s *site) hubOn(nc *nats.Conn, registry hub.Registry, change ...func(*hub.Config)) (url string, stop func()) {
	s.t.Helper()
	cfg := hub.Config{Conn: nc, Registry: registry, RegistryKind: "kv", Logger: slog.New(slog.DiscardHandler), StartTimeout: patience}
	for _, c := range change {
		c(&cfg)
	}
	h, err := hub.New(cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	web := httptest.NewServer(h.Handler())
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		web.Close()
		if err := <-done; err != nil {
			s.t.Errorf("hub: %v", err)
		}
	}
	s.t.Cleanup(stop)
	select {
	case <-h.Ready():
	case err := <-done:
		done <- err
		s.t.Fatalf("hub: %v", err)
	case <-time.After(patience):
		s.t.Fatal("hub did not get ready")
	}
	return web.URL, stop
}

// ask sends a control request, whose success matters only.
func (s *site) ask(subject, request string) {
	s.t.Helper()
	m, err := s.nc.Request(subject, []byte(request), patience)
	if err != nil {
		s.t.Fatalf("%s: %v", subject, err)
	}
	if refused := m.Header.Get("Nats-Service-Error"); refused != "" {
		s.t.Fatalf("%s: %s", subject, refused)
	}
}

// look makes all checks.
func (s *site) look(change ...func(*doctor.Config)) *doctor.Report {
	s.t.Helper()
	nc := s.connect()
	defer nc.Close()
	cfg := doctor.Config{Conn: nc, Timeout: 2 * time.Second, Listen: 100 * time.Millisecond}
	for _, c := range change {
		c(&cfg)
	}
	return doctor.Run(s.t.Context(), cfg)
}

// checks are the names of the checks of a level, each once, sorted.
func checks(r *doctor.Report, level doctor.Level) []string {
	names := []string{}
	for _, f := range r.Of(level) {
		names = append(names, f.Check)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// expect compares the checks that fail and warn.
func expect(t *testing.T, r *doctor.Report, fails, warns []string) {
	t.Helper()
	for level, want := range map[doctor.Level][]string{doctor.Fail: fails, doctor.Warn: warns} {
		if diff := cmp.Diff(append([]string{}, want...), checks(r, level)); diff != "" {
			t.Errorf("%s (-want +got):\n%s\n%+v", level, diff, r.Of(level))
		}
	}
	for _, level := range []doctor.Level{doctor.Fail, doctor.Warn, doctor.Unseen} {
		for _, f := range r.Of(level) {
			if f.Message == "" || level == doctor.Fail && f.Do == "" {
				t.Errorf("a finding does not say what it is and what to do: %+v", f)
			}
		}
	}
}

// await looks until the checks that fail and warn are as wanted.
func (s *site) await(fails, warns []string, change ...func(*doctor.Config)) {
	s.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		r := s.look(change...)
		same := slices.Equal(checks(r, doctor.Fail), fails) && slices.Equal(checks(r, doctor.Warn), warns)
		if same || time.Now().After(deadline) {
			expect(s.t, r, fails, warns)
			return
		}
	}
}
