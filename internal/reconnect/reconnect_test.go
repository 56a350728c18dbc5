package reconnect_test

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/replhub/replhub/internal/reconnect"
	"github.com/replhub/replhub/internal/testenv/certtest"
)

// What the server refuses it takes again once the two agree, whichever was
// changed first.
func TestRotation(t *testing.T) {
	eachStage(t, map[string]func(*stage){
		"password": func(s *stage) {
			s.start(&server.Options{Username: "a", Password: "before"})
			s.connect(reconnect.Files{User: "a", Password: s.write("password", []byte("before\n"))})
			s.reload(func(o *server.Options) { o.Password = "after" })
			s.refused("the server has other credentials")
			s.write("password", []byte("after\n"))
			s.back()
		},
		"password, the file first": func(s *stage) {
			s.start(&server.Options{Username: "a", Password: "before"})
			s.connect(reconnect.Files{User: "a", Password: s.write("password", []byte("before"))})
			s.write("password", []byte("after"))
			s.reload(func(o *server.Options) { o.Password = "after" })
			s.eventually("the connection to be back", func() bool { return s.nc.Stats().Reconnects > 0 && s.nc.IsConnected() })
		},
		"token": func(s *stage) {
			s.start(&server.Options{Authorization: "before"})
			s.connect(reconnect.Files{Token: s.write("token", []byte("before\n"))})
			s.reload(func(o *server.Options) { o.Authorization = "after" })
			s.refused("the server has other credentials")
			s.write("token", []byte("after\n"))
			s.back()
		},
		"password file that is away": func(s *stage) {
			s.start(&server.Options{Username: "a", Password: "before"})
			path := s.write("password", []byte("before"))
			s.connect(reconnect.Files{User: "a", Password: path})
			if err := os.Remove(path); err != nil {
				s.t.Fatal(err)
			}
			s.reload(func(o *server.Options) { o.Password = "after" })
			s.eventually("word on the file", func() bool { return s.log.count("no such file") > 0 })
			s.write("password", []byte("after"))
			s.back()
		},
		"nkey": func(s *stage) {
			user := func() (seed []byte, public string) {
				pair, err := nkeys.CreateUser()
				if err != nil {
					s.t.Fatal(err)
				}
				seed, err1 := pair.Seed()
				public, err2 := pair.PublicKey()
				if err := errors.Join(err1, err2); err != nil {
					s.t.Fatal(err)
				}
				return seed, public
			}
			seed, public := user()
			s.start(&server.Options{Nkeys: []*server.NkeyUser{{Nkey: public}}})
			s.connect(reconnect.Files{Nkey: s.write("nkey", seed)})
			seed, public = user()
			s.reload(func(o *server.Options) { o.Nkeys = []*server.NkeyUser{{Nkey: public}} })
			s.refused("the server has other credentials")
			s.write("nkey", seed)
			s.back()
		},
		"connections": func(s *stage) {
			s.start(&server.Options{Username: "a", Password: "a"})
			s.connect(reconnect.Files{User: "a", Password: s.write("password", []byte("a"))})
			s.reload(func(o *server.Options) { o.MaxConn = -1 })
			s.nc.ForceReconnect()
			s.refused("max_connections")
			s.reload(func(o *server.Options) { o.MaxConn = 10 })
			s.back()
		},
	})
}

// A JWT that expires while it is used is replaced by the one that the file holds
// by then.
func TestExpiredUser(t *testing.T) {
	eachStage(t, map[string]func(*stage){"jwt": func(s *stage) {
		r := newTrust(s.t)
		s.start(r.options)
		s.connect(reconnect.Files{Creds: s.write("user.creds", r.user(1100*time.Millisecond))})
		s.eventually("word on the trouble", func() bool {
			return s.log.count("expired")+s.log.count("other credentials") > 0 && s.nc.Stats().Reconnects > 3
		})
		s.write("user.creds", []byte("half a fi"))
		s.write("user.creds", r.user(time.Hour))
		s.back()
	}})
}

// The server moves to another authority, with which the client's files follow.
func TestCertificatesAreReadAnew(t *testing.T) {
	eachStage(t, map[string]func(*stage){"tls": func(s *stage) {
		before, after := certtest.New(s.t), certtest.New(s.t)
		files := s.tlsFiles(before)
		s.start(&server.Options{TLS: true, TLSConfig: bothSides(before), TLSTimeout: 5, AuthTimeout: 5})
		s.connect(files)
		s.reload(func(o *server.Options) { o.TLSConfig = bothSides(after) })
		s.nc.ForceReconnect()
		s.eventually("word on the trouble", func() bool { return s.log.count("no connection to NATS") > 0 })
		s.tlsFiles(after)
		s.back()
	}})
}

// What options before the Supervisor's say of errors and delays is kept.
func TestHandlersOfOthersAreKept(t *testing.T) {
	eachStage(t, map[string]func(*stage){"handlers": func(s *stage) {
		var mu sync.Mutex
		heard := make(map[string]int)
		hear := func(what string) {
			mu.Lock()
			defer mu.Unlock()
			heard[what]++
		}
		s.start(&server.Options{Username: "a", Password: "before"})
		s.connect(reconnect.Files{User: "a", Password: s.write("password", []byte("before"))},
			nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) { hear("error") }),
			nats.ConnectHandler(func(*nats.Conn) { hear("connected") }),
			nats.DisconnectErrHandler(func(*nats.Conn, error) { hear("lost") }),
			nats.ReconnectHandler(func(*nats.Conn) { hear("back") }),
			nats.CustomReconnectDelay(func(int) time.Duration { hear("delay"); return time.Millisecond }))
		s.reload(func(o *server.Options) { o.Password = "after" })
		s.refused("the server has other credentials")
		s.write("password", []byte("after"))
		s.back()
		s.eventually("each handler to be called", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(heard) == 5
		})
	}})
}

func TestFilesThatCannotBeUsed(t *testing.T) {
	dir := t.TempDir()
	wrong := filepath.Join(dir, "wrong")
	if err := os.WriteFile(wrong, []byte("nothing of the kind"), 0o600); err != nil {
		t.Fatal(err)
	}
	away := filepath.Join(dir, "away")
	supervisor := reconnect.NewSupervisor(slog.New(slog.DiscardHandler))
	for i, files := range []reconnect.Files{
		{Creds: away},
		{Creds: wrong},
		{Nkey: away},
		{Nkey: wrong},
		{User: "a", Password: away},
		{Token: away},
		{CA: away},
		{CA: wrong},
		{Cert: away, Key: away},
		{Cert: wrong, Key: wrong},
	} {
		_, err := supervisor.Options(files)
		if f, ok := errors.AsType[*reconnect.FileError](err); !ok || !strings.Contains(fmt.Sprint(err), filepath.Base(f.Path)) {
			t.Errorf("%d: %+v: error %v", i, files, err)
		}
	}
	if opts, err := supervisor.Options(reconnect.Files{}); err != nil || len(opts) != 0 {
		t.Errorf("no files: %d options, %v", len(opts), err)
	}
}

// A URL that says who connects wins over a token.
func TestTokenBesideAURL(t *testing.T) {
	for url, want := range map[string]bool{"nats://127.0.0.1:1": true, "nats://token@127.0.0.1:1": false, "nats://a:b@127.0.0.1:1": false} {
		o := nats.GetDefaultOptions()
		o.Servers = []string{url}
		if err := reconnect.Token(func() string { return "t" })(&o); err != nil || (o.TokenHandler != nil) != want {
			t.Errorf("%s: handler %v, %v", url, o.TokenHandler != nil, err)
		}
	}
}
