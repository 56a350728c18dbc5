package replhub_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub"
)

func TestConnectChecksItsConfig(t *testing.T) {
	for says, cfg := range map[string]replhub.Config{
		"config: Service: name \"A\"":        {Service: "A"},
		"config: Timeout -1s: ":              {Timeout: -time.Second},
		"config: PublishTimeout -1s: ":       {PublishTimeout: -time.Second},
		"config: MaxPending -1: ":            {MaxPending: -1},
		"config: Conn: must not be":          {Conn: &nats.Conn{}, URL: "x"},
		"config: Credentials: User and":      {Credentials: replhub.Credentials{User: "a"}},
		"config: Credentials: CertFile and":  {Credentials: replhub.Credentials{KeyFile: "a"}},
		"config: Credentials: open /nowhere": {Credentials: replhub.Credentials{TokenFile: "/nowhere"}},
		"config: Conn: must not be given":    {Conn: &nats.Conn{}, Credentials: replhub.Credentials{TokenFile: "a"}},
		"config: Conn: must not be giv":      {Conn: &nats.Conn{}, Options: []nats.Option{nats.Name("x")}},
	} {
		c, err := replhub.Connect(t.Context(), cfg)
		if c != nil || err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%+v: error %v, want one that says %q", cfg, err, says)
		}
	}
}

func TestConnectWhereNobodyListens(t *testing.T) {
	l := newLab(t)
	l.server.Stop()
	defer l.server.Start() // for the cleanup
	_, err := replhub.Connect(t.Context(), replhub.Config{URL: strings.Replace(l.url, "nats://", "nats://me:secret@", 1)})
	wants(t, err, replhub.ErrNoServer)
	if err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), l.url) || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %v is not one clear line without secrets", err)
	}
}

func TestConnectDoesNotQuoteAURL(t *testing.T) {
	for _, url := range []string{"nats://ada:secret/more@127.0.0.1:1", "nats://secret%zz@127.0.0.1:1", "nats://secret@[::1"} {
		_, err := replhub.Connect(t.Context(), replhub.Config{URL: url})
		if err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "percent-encoded") {
			t.Errorf("error %v is not one about the URL, without its secrets", err)
		}
	}
}

func TestConnectNeedsNoHub(t *testing.T) {
	l := newLab(t)
	c := l.client()
	if c.Service() != "" {
		t.Errorf("service %q", c.Service())
	}
}

func TestConnectWaitsForServerAndHub(t *testing.T) {
	l := newLab(t)
	l.server.Stop()
	var log recorder
	type result struct {
		c   *replhub.Client
		err error
	}
	done := make(chan result, 1)
	ctx, url := context.WithoutCancel(t.Context()), l.url
	go func() {
		c, err := replhub.Connect(ctx, replhub.Config{
			URL: url, Service: "sharing", WaitForHub: true, Logger: log.logger(),
		})
		done <- result{c, err}
	}()
	l.server.Start()
	l.eventually("a word on waiting", func() error {
		select {
		case r := <-done:
			t.Fatalf("connected without a hub: %v", r.err)
		default:
		}
		return log.says("waiting for a hub")
	})
	l.startHub()
	r := <-done
	if r.err != nil {
		t.Fatal(r.err)
	}
	r.c.Close()
}

func TestConnectWaitsNoLongerThanItsContext(t *testing.T) {
	l := newLab(t)
	for name, url := range map[string]string{"hub": l.url, "server": "nats://127.0.0.1:1"} {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		_, err := replhub.Connect(ctx, replhub.Config{URL: url, WaitForHub: true, Logger: slog.New(slog.DiscardHandler)})
		cancel()
		wants(t, err, context.DeadlineExceeded)
		if name == "server" {
			wants(t, err, replhub.ErrNoServer)
		} else {
			wants(t, err, replhub.ErrNoHub)
		}
	}
}

func TestBorrowedConnectionStaysAsItWas(t *testing.T) {
	l := newLab(t)
	l.openIngest()
	nc, err := nats.Connect(l.url)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	c, err := replhub.Connect(t.Context(), replhub.Config{Conn: nc})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Publish(t.Context(), user("a", 1)); err != nil {
		t.Error(err)
	}
	c.Close()
	c.Close()
	if nc.IsClosed() || nc.NumSubscriptions() != 0 {
		t.Errorf("closed %v, %d subscriptions", nc.IsClosed(), nc.NumSubscriptions())
	}
	_, err = c.Publish(t.Context(), user("a", 2))
	wants(t, err, replhub.ErrClosed)
	_, err = c.PublishBatch(t.Context(), []replhub.Event{user("a", 2)})
	wants(t, err, replhub.ErrClosed)
}

func TestConnectionThatItsOwnerClosed(t *testing.T) {
	l := newLab(t)
	nc, err := nats.Connect(l.url)
	if err != nil {
		t.Fatal(err)
	}
	c, err := replhub.Connect(t.Context(), replhub.Config{Conn: nc})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	nc.Close()
	_, err = c.Publish(t.Context(), user("a", 1))
	wants(t, err, replhub.ErrClosed)
}

// recorder keeps a log for a test to look at.
type recorder struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (r *recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.Write(p)
}

func (r *recorder) logger() *slog.Logger { return slog.New(slog.NewTextHandler(r, nil)) }

// times is how often words were logged.
func (r *recorder) times(words string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Count(r.buf.String(), words)
}

func (r *recorder) says(words string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !strings.Contains(r.buf.String(), words) {
		return count(words, 0, 1)
	}
	return nil
}
