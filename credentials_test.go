package replhub_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/internal/testenv/cluster"
)

// guarded is a nats-server with a hub as one user, and a service as another whose
// password changes.
type guarded struct {
	t      *testing.T
	server *cluster.NATS
	file   string
}

func newGuarded(t *testing.T) *guarded {
	t.Helper()
	g := &guarded{t: t, file: filepath.Join(t.TempDir(), "password")}
	g.server = cluster.StartNATS(t, guardedUsers("0")...)
	g.write("0")
	stop, err := startHub(strings.Replace(g.server.URL(), "nats://", "nats://hub:hub@", 1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return g
}

func guardedUsers(password string) []cluster.NATSOption {
	return []cluster.NATSOption{cluster.NATSUser("hub", "hub", ""), cluster.NATSUser("svc", password, "")}
}

func (g *guarded) write(password string) {
	g.t.Helper()
	if err := os.WriteFile(g.file, []byte(password+"\n"), 0o600); err != nil {
		g.t.Fatal(err)
	}
}

// reload gives the service another password at the server.
func (g *guarded) reload(password string) {
	g.t.Helper()
	g.server.SetUsers(guardedUsers(password)...)
}

// The server knows the new password before the file does, and after it, several
// times over: publishes and the subscription go on, and nothing is lost.
func TestRotatedCredentials(t *testing.T) {
	g := newGuarded(t)
	l := &lab{t: t, url: g.server.URL()}
	var log recorder
	c := l.client(func(c *replhub.Config) {
		c.Service, c.Logger = "sharing", log.logger()
		c.Credentials = replhub.Credentials{User: "svc", PasswordFile: g.file}
		c.Options = append(c.Options, nats.MaxReconnects(1), nats.NoReconnect())
	})
	var mu sync.Mutex
	got := make(map[string]int)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 2)
	go func() {
		r := replhub.Registration{Interests: []replhub.Interest{{Entity: "user", Echo: true}}}
		ended <- c.RunSubscriber(ctx, replhub.SubscriberConfig{Registration: r}, replhub.HandlerFunc(func(_ context.Context, d *replhub.Delivery) error {
			mu.Lock()
			defer mu.Unlock()
			got[d.Key]++
			return nil
		}))
	}()
	l.eventually("the registration", func() error {
		_, err := c.Describe(t.Context())
		return err
	})
	published := make(chan int)
	writing, stopWriting := context.WithCancel(t.Context())
	go func() {
		n := 0
		for ; writing.Err() == nil; n++ {
			if _, err := c.Publish(t.Context(), user(fmt.Sprint(n), n)); err != nil {
				ended <- fmt.Errorf("publish: %w", err)
				break
			}
		}
		published <- n
	}()
	have := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(got)
	}
	goesOn := func(before int) {
		t.Helper()
		l.eventually("an event behind the rotation", func() error {
			select {
			case err := <-ended:
				t.Fatalf("it ended: %v", err)
			default:
			}
			if have() <= before {
				return fmt.Errorf("%d events", have())
			}
			return nil
		})
	}
	for i, first := range []string{"server", "file", "server"} {
		password := fmt.Sprint("p", i)
		if first == "file" {
			g.write(password)
		}
		g.reload(password)
		at := have()
		if first == "server" {
			l.eventually("word on the credentials", func() error { return log.says("the server has other credentials") })
			attempts := make(chan struct{})
			time.AfterFunc(100*time.Millisecond, func() { close(attempts) }) // several of them
			<-attempts
			g.write(password)
		}
		goesOn(at + 1)
	}
	stopWriting()
	want := <-published
	l.eventually("every event", func() error { return count("events", have(), want) })
	cancel()
	if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
	log.mu.Lock()
	defer log.mu.Unlock()
	if n := strings.Count(log.buf.String(), "the server has other credentials"); n > 2 {
		t.Errorf("said %d times in two or three times of trouble:\n%s", n, log.buf.String())
	}
}

// A client that waits for its hub waits for its credentials as well, and one that
// does not says at once that they are refused.
func TestConnectWithCredentialsThatAreRefused(t *testing.T) {
	g := newGuarded(t)
	g.write("old")
	cfg := replhub.Config{
		URL: g.server.URL(), Logger: slog.New(slog.DiscardHandler), Credentials: replhub.Credentials{User: "svc", PasswordFile: g.file},
	}
	_, err := replhub.Connect(t.Context(), cfg)
	wants(t, err, nats.ErrAuthorization)
	var log recorder
	cfg.WaitForHub, cfg.Logger = true, log.logger()
	l := &lab{t: t}
	done := make(chan error, 1)
	ctx := context.WithoutCancel(t.Context())
	go func() {
		c, err := replhub.Connect(ctx, cfg)
		if err == nil {
			c.Close()
		}
		done <- err
	}()
	l.eventually("a word on the refusal", func() error { return log.says("the server refuses this client") })
	g.write("0")
	if err := <-done; err != nil {
		t.Error(err)
	}
}
