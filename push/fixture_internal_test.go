package push

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/replhubtest"
)

// got is one request as the endpoint saw it.
type got struct {
	header http.Header
	key    string
	body   string
	proto  string
	at     time.Time
}

func (g got) id() string { return g.header.Get(headerID) }

func (g got) seq(t *testing.T) int {
	t.Helper()
	seq, err := strconv.Atoi(g.header.Get("Ce-Sequence"))
	if err != nil {
		t.Error(err)
	}
	return seq
}

// receiver is an HTTPS endpoint that verifies each signature by an independent library,
// notes requests, and answers as a test says. It fails the test when two requests for a
// key are under way at once.
type receiver struct {
	t      *testing.T
	server *httptest.Server
	ca     string

	mu     sync.Mutex // guards the rest
	answer func(g got, n int) (status int, header map[string]string, body string)
	all    []got
	busy   map[string]bool
	secret string
}

// ok answers 204.
func ok(got, int) (int, map[string]string, string) { return http.StatusNoContent, nil, "" }

func status(code int) func(got, int) (int, map[string]string, string) {
	return func(got, int) (int, map[string]string, string) { return code, nil, "because\r\n of\x1b you" }
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{t: t, answer: ok, busy: map[string]bool{}, secret: secretA}
	r.server = httptest.NewUnstartedServer(r)
	r.server.EnableHTTP2 = true
	r.server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	r.server.StartTLS()
	t.Cleanup(r.server.Close)
	r.ca = filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.server.Certificate().Raw})
	if err := os.WriteFile(r.ca, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	g := got{header: req.Header.Clone(), key: req.Header.Get("Ce-Key"), body: string(body), proto: req.Proto, at: time.Now()}
	r.mu.Lock()
	if r.busy[g.key] {
		r.t.Errorf("two requests for key %s at once", g.key)
	}
	r.busy[g.key] = true
	r.all = append(r.all, g)
	n, answer, secret := len(r.all), r.answer, r.secret
	r.mu.Unlock()
	r.verify(g, secret)
	code, header, text := answer(g, n)
	r.mu.Lock()
	r.busy[g.key] = false
	r.mu.Unlock()
	for name, value := range header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(code)
	_, _ = io.WriteString(w, text)
}

func (r *receiver) verify(g got, secret string) {
	verifier, err := standardwebhooks.NewWebhook(secret)
	if err == nil {
		err = verifier.Verify([]byte(g.body), g.header)
	}
	if err != nil {
		r.t.Errorf("%s: %v", g.id(), err)
	}
}

func (r *receiver) say(answer func(g got, n int) (int, map[string]string, string)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

func (r *receiver) requests() []got {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]got(nil), r.all...)
}

// of are the requests for a key.
func (r *receiver) of(key string) []got {
	var some []got
	for _, g := range r.requests() {
		if g.key == key {
			some = append(some, g)
		}
	}
	return some
}

// lab is a hub with an endpoint.
type lab struct {
	*receiver

	t      *testing.T
	hub    *replhubtest.Hub
	entity string
	cfg    Config
}

func newLab(t *testing.T) *lab {
	t.Helper()
	return newLabOn(t, replhubtest.Start(t), "sharing", "user")
}

// newLabOn is a lab on a hub that others use, too.
func newLabOn(t *testing.T, hub *replhubtest.Hub, service, entity string) *lab {
	t.Helper()
	l := &lab{t: t, hub: hub, entity: entity, receiver: newReceiver(t)}
	nc, err := nats.Connect(l.hub.URL(), nats.MaxReconnects(-1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	l.cfg = Config{
		Conn: nc, Service: service, URL: l.server.URL + "/hook?code=hush", CAFile: l.ca, Secrets: secretA, AllowPrivate: true,
		Registration: replhub.Registration{Interests: []replhub.Interest{{Entity: entity, Start: replhub.StartAll()}}},
		backoff:      10 * time.Millisecond, maxBackoff: 20 * time.Millisecond, MaxAttempts: 3,
	}
	return l
}

// running is a Pusher that runs until the test ends or stop is called.
type running struct {
	*Pusher

	stop func() error
}

func (l *lab) start() *running {
	l.t.Helper()
	p, err := New(l.t.Context(), l.cfg)
	if err != nil {
		l.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	stop := sync.OnceValue(func() error {
		cancel()
		defer p.Close()
		return <-ended
	})
	l.t.Cleanup(func() { _ = stop() })
	return &running{p, stop}
}

// publish publishes updates of keys, in their order.
func (l *lab) publish(keys ...string) {
	l.t.Helper()
	var events []replhub.Event
	for i, key := range keys {
		events = append(events, replhub.Event{Entity: l.entity, Op: replhub.Update, Key: key, Data: fmt.Appendf(nil, `{"id":%q,"n":%d}`, key, i)})
	}
	l.hub.Publish(l.t, events...)
}

func (l *lab) await(what string, holds func() bool) {
	l.t.Helper()
	replhubtest.Await(l.t, what, func() error {
		if !holds() {
			return fmt.Errorf("not yet: %d requests", len(l.requests()))
		}
		return nil
	})
}

// letters are the dead letters, with their errors by key.
func (l *lab) letters() map[string][2]string {
	l.t.Helper()
	found := map[string][2]string{}
	js, err := l.cfg.Conn.JetStream()
	if err != nil {
		l.t.Fatal(err)
	}
	info, err := js.StreamInfo("DLQ")
	if err != nil {
		l.t.Fatal(err)
	}
	for seq := max(info.State.FirstSeq, 1); seq <= info.State.LastSeq; seq++ {
		m, err := js.GetMsg("DLQ", seq)
		if errors.Is(err, nats.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			l.t.Fatal(err)
		}
		if !strings.HasPrefix(m.Subject, "dlq."+l.cfg.Service+".") {
			continue
		}
		found[m.Header.Get("Replhub-Key")] = [2]string{m.Header.Get("Replhub-Reason"), m.Header.Get("Replhub-Error")}
	}
	return found
}
