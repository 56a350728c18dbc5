package push

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/replhubtest"
)

// Each event is a request of its own, verified by its receiver, in order per key. With
// Once, Run ends when the endpoint has all.
func TestDelivers(t *testing.T) {
	t.Parallel() // it waits most of the time
	l := newLab(t)
	var keys []string
	for range 25 {
		keys = append(keys, "1", "2", "3", "4")
	}
	l.publish(keys...)
	l.hub.Publish(t, replhub.Event{Entity: "user", Op: replhub.Delete, Key: "1"})
	l.cfg.Once = true
	summary, err := Run(t.Context(), l.cfg)
	if err != nil {
		t.Fatal(err)
	}
	if summary.Delivered != 101 || summary.Requests != 101 || summary.Answers["204"] != 101 || summary.DeadLetters+summary.Repeated != 0 {
		t.Errorf("%+v", summary)
	}
	last := map[string]int{}
	for _, g := range l.requests() {
		seq := g.seq(t)
		if seq <= last[g.key] {
			t.Errorf("event %d of key %s came after %d", seq, g.key, last[g.key])
		}
		last[g.key] = seq
		if g.proto != "HTTP/2.0" || g.header.Get("Ce-Specversion") != "1.0" || g.id() != fmt.Sprintf("sharing_1-%d", seq) {
			t.Errorf("%s %v", g.proto, g.header)
		}
	}
	end := l.of("1")[25]
	if end.body != "" || end.header.Get("Ce-Type") != "db.user.delete" || end.header.Get("Content-Type") != "" {
		t.Errorf("a delete: %q, %v", end.body, end.header)
	}
	if body := l.of("2")[0].body; body != `{"id":"2","n":1}` {
		t.Errorf("body %q", body)
	}
}

// What the endpoint refuses is a dead letter at once, with the beginning of the answer;
// the key goes on.
func TestRefusedIsADeadLetter(t *testing.T) {
	t.Parallel() // it waits most of the time
	l := newLab(t)
	codes := map[string]int{"400": 400, "409": 409, "413": 413, "415": 415, "422": 422}
	l.say(func(g got, n int) (int, map[string]string, string) {
		if code := codes[g.key]; code != 0 && strings.Contains(g.body, `"n":0`+g.key) {
			return status(code)(g, n)
		}
		return ok(g, n)
	})
	for key := range codes {
		for _, n := range []string{"0" + key, "1"} {
			l.hub.Publish(t, replhub.Event{Entity: "user", Op: replhub.Update, Key: key, Data: []byte(`{"n":` + n + `}`)})
		}
	}
	l.cfg.Once = true
	summary, err := Run(t.Context(), l.cfg)
	if err != nil || summary.DeadLetters != len(codes) || summary.Delivered != len(codes) || summary.Requests != 2*len(codes) {
		t.Fatalf("%+v, %v", summary, err)
	}
	for key, letter := range l.letters() {
		if letter[0] != "parked" || !strings.HasPrefix(letter[1], "the endpoint answered "+key+" ") || !strings.HasSuffix(letter[1], ": because of\ufffd you") {
			t.Errorf("%s: %q", key, letter)
		}
	}
}

// An endpoint that fails for long, in whatever way, makes no dead letters: each event is
// delivered when it is back, in its order.
func TestOutageMakesNoDeadLetters(t *testing.T) {
	t.Parallel() // it waits most of the time
	hub := replhubtest.Start(t)
	for name, outage := range map[string]func(got, int) (int, map[string]string, string){
		"500": status(500),
		"404": status(404),
		"301": func(got, int) (int, map[string]string, string) {
			return 301, map[string]string{"Location": "https://elsewhere.example/?code=hush"}, ""
		},
		"429": status(429),
		"503 for a while": func(got, int) (int, map[string]string, string) {
			return 503, map[string]string{"Retry-After": "0"}, ""
		},
		"no answer": func(got, int) (int, map[string]string, string) { panic(http.ErrAbortHandler) },
		"a late answer": func(g got, n int) (int, map[string]string, string) {
			<-time.After(400 * time.Millisecond) // the endpoint is slow
			return ok(g, n)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			word := strings.ReplaceAll(name, " ", "-")
			l := newLabOn(t, hub, "to-"+word, "user-"+word)
			l.publish("1", "2", "3", "1", "2", "3")
			l.say(func(g got, n int) (int, map[string]string, string) {
				l.release(g) // who does not answer, or late, is asked again meanwhile
				return outage(g, n)
			})
			many := 3*l.cfg.MaxAttempts + 2 // more than the attempts of all events together
			if name == "a late answer" {
				l.cfg.RequestTimeout, many = 250*time.Millisecond, 2*l.cfg.MaxAttempts
			}
			if name == "429" {
				l.cfg.backoff = time.Millisecond
			}
			p := l.start()
			l.await("many requests", func() bool { return len(l.requests()) > many })
			texts := strings.Join(p.Degraded(), "; ")
			if texts == "" || strings.Contains(texts, "hush") {
				t.Errorf("degraded: %q", texts)
			}
			if name == "301" && !strings.Contains(texts, "a redirect is not followed: state the address that the endpoint really has, perhaps on https://elsewhere.example") {
				t.Errorf("degraded: %q", texts)
			}
			l.say(ok)
			l.await("all to be delivered", func() bool { return p.Summary().Delivered == 6 })
			if len(p.Degraded()) > 0 {
				l.await("the end of the outage", func() bool { return len(p.Degraded()) == 0 })
			}
			if letters := l.letters(); len(letters) > 0 {
				t.Errorf("dead letters %v", letters)
			}
			if name != "a late answer" { // which delivered, too
				l.checkOrder(t)
			}
		})
	}
}

// release lets a request that panics or is cut off be followed by another one.
func (l *lab) release(g got) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.busy[g.key] = false
}

// checkOrder fails unless each key's events come in order, repeats included.
func (l *lab) checkOrder(t *testing.T) {
	t.Helper()
	last := map[string]int{}
	for _, g := range l.requests() {
		if g.seq(t) < last[g.key] {
			t.Errorf("%s came after event %d", g.id(), last[g.key])
		}
		last[g.key] = g.seq(t)
	}
}

// An event that fails while others are delivered is at fault: it holds up its key alone,
// and ends as a dead letter.
func TestPoisonHoldsItsKeyAlone(t *testing.T) {
	t.Parallel() // it waits most of the time
	l := newLab(t)
	l.say(func(g got, n int) (int, map[string]string, string) {
		if g.key == "bad" && strings.Contains(g.body, `"n":0`) {
			return status(500)(g, n)
		}
		return ok(g, n)
	})
	p := l.start()
	l.publish("bad", "1", "bad", "2")
	l.await("the other keys", func() bool { return len(l.of("1"))+len(l.of("2")) == 2 })
	for i := range 40 {
		if p.Summary().DeadLetters > 0 {
			break
		}
		key := fmt.Sprint(10 + i)
		l.publish(key) // what says that the endpoint works
		l.await("another key", func() bool { return len(l.of(key)) > 0 })
	}
	l.await("the letter, and the event behind it", func() bool {
		return p.Summary().DeadLetters == 1 && strings.Contains(l.of("bad")[len(l.of("bad"))-1].body, `"n":2`)
	})
	letter := l.letters()["bad"]
	if letter[0] != "failed" || !strings.Contains(letter[1], "500") {
		t.Errorf("%q", letter)
	}
	ids := map[string]int{}
	for _, g := range l.of("bad") {
		ids[g.id()]++
	}
	if len(ids) != 2 {
		t.Errorf("the requests of two events have the ids %v", ids)
	}
}

// Retry-After holds all requests, of other keys, too; then one goes first.
func TestRetryAfterHoldsTheEndpoint(t *testing.T) {
	t.Parallel() // it waits most of the time
	l := newLab(t)
	var asked atomic.Int64
	l.say(func(g got, n int) (int, map[string]string, string) {
		if n == 1 {
			asked.Store(time.Now().UnixNano())
			return 429, map[string]string{"Retry-After": "1"}, ""
		}
		return ok(g, n)
	})
	p := l.start()
	l.publish("1")
	l.await("the wait", func() bool { return p.State().Waiting })
	l.publish("2", "3", "4", "1")
	l.await("all", func() bool { return p.Summary().Delivered == 5 })
	for _, g := range l.requests()[1:] {
		if waited := g.at.Sub(time.Unix(0, asked.Load())); waited < time.Second {
			t.Errorf("%s came %s after the answer", g.id(), waited)
		}
	}
	if first, second := l.requests()[0], l.of("1")[1]; first.id() != second.id() || first.header.Get(headerTimestamp) == second.header.Get(headerTimestamp) {
		t.Error("the repeat has another id, or the same time")
	}
	if s := p.Summary(); s.Repeated != 1 || s.DeadLetters != 0 {
		t.Errorf("%+v", s)
	}
}

// A stop does not wait for what the endpoint asks for, and the event is not lost.
func TestStopDuringAWait(t *testing.T) {
	t.Parallel() // it waits most of the time
	l := newLab(t)
	l.say(func(got, int) (int, map[string]string, string) {
		return 503, map[string]string{"Retry-After": "3600"}, ""
	})
	p := l.start()
	l.publish("1", "2")
	l.await("the wait", func() bool { return p.State().Waiting })
	began := time.Now()
	if err := p.stop(); err != nil || time.Since(began) > 5*time.Second {
		t.Errorf("%v after %s", err, time.Since(began))
	}
	l.say(ok)
	l.cfg.Once = true
	if summary, err := Run(t.Context(), l.cfg); err != nil || summary.Delivered != 2 || summary.DeadLetters != 0 {
		t.Errorf("%+v, %v", summary, err)
	}
}

// 410 pauses the service: no event is sent any more, and none is lost. After a resume it
// goes on.
func TestGonePausesTheService(t *testing.T) {
	t.Parallel() // it waits most of the time
	l := newLab(t)
	l.say(status(410))
	p := l.start()
	l.publish("1", "2", "3")
	l.await("the pause", func() bool { return len(l.requests()) > 3*l.cfg.Concurrency+16 || !p.State().PausedUntil.IsZero() })
	made := len(l.requests())
	if texts := p.Degraded(); len(texts) == 0 || !strings.Contains(texts[0], "replhub resume sharing") {
		t.Errorf("%q", texts)
	}
	if workers := l.described().Workers; slices.ContainsFunc(workers, func(w contract.WorkerStatus) bool { return w.PausedUntil == nil }) {
		t.Error("the hub says that the workers run")
	}
	l.say(ok)
	l.publish("4")
	l.await("all to wait in the lane", func() bool { return l.described().Backlog == 4 })
	if n := len(l.requests()); n != made {
		t.Errorf("%d requests after the pause", n-made)
	}
	l.control("resume")
	l.await("all", func() bool { return p.Summary().Delivered == 4 })
	if s := p.Summary(); s.DeadLetters != 0 || len(p.Degraded()) > 0 {
		t.Errorf("%+v, %q", s, p.Degraded())
	}
	if err := p.stop(); err != nil {
		t.Error(err)
	}
	l.say(status(410))
	l.publish("5")
	l.cfg.Once = true
	if _, err := Run(t.Context(), l.cfg); !errors.Is(err, ErrGone) {
		t.Errorf("with Once: %v", err)
	}
}

func (l *lab) control(verb string) {
	l.t.Helper()
	if _, err := l.cfg.Conn.Request("replhub."+verb+".sharing", nil, 5*time.Second); err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) described() contract.LaneStatus {
	l.t.Helper()
	m, err := l.cfg.Conn.Request("replhub.describe.sharing", nil, 5*time.Second)
	if err != nil {
		l.t.Fatal(err)
	}
	var status contract.LaneStatus
	if err := json.Unmarshal(m.Data, &status); err != nil {
		l.t.Fatal(err)
	}
	return status
}

// A certificate that nobody trusts is no reason to send, nor to lose an event.
func TestCertificateIsVerified(t *testing.T) {
	t.Parallel() // it waits most of the time
	l := newLab(t)
	l.cfg.CAFile = ""
	p := l.start()
	l.publish("1")
	l.await("the refusal", func() bool { return strings.Contains(strings.Join(p.Degraded(), ""), "--ca") })
	if len(l.requests()) > 0 || p.Summary().DeadLetters > 0 {
		t.Errorf("%d requests, %+v", len(l.requests()), p.Summary())
	}
}

// Secrets are rotated without a restart: both sign, then the new one alone.
func TestSecretsAreRotated(t *testing.T) {
	t.Parallel() // it waits most of the time
	l := newLab(t)
	l.cfg.Secrets, l.cfg.SecretFile = "", filepath.Join(t.TempDir(), "secrets")
	write := func(secrets string) {
		if err := os.WriteFile(l.cfg.SecretFile, []byte(secrets), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(secretA)
	l.start()
	for i, step := range []struct{ file, receiver string }{
		{secretA, secretA}, {secretB + "\n" + secretA, secretA}, {secretB + "\n" + secretA, secretB}, {secretB, secretB}, {"nonsense", secretB},
	} {
		write(step.file)
		l.mu.Lock()
		l.secret = step.receiver
		l.mu.Unlock()
		l.publish(fmt.Sprint(i))
		l.await("the event", func() bool { return len(l.of(fmt.Sprint(i))) == 1 })
	}
	if s := l.requests()[1].header.Get(headerSignature); strings.Count(s, "v1,") != 2 {
		t.Errorf("signature %q of two secrets", s)
	}
}

// A configuration that cannot be meant is refused before anything is sent, and says what
// to do, without a secret.
func TestConfigIsRefused(t *testing.T) {
	l := newLab(t)
	for name, tt := range map[string]struct {
		change func(*Config)
		says   string
	}{
		"no connection":        {func(c *Config) { c.Conn = nil }, "Conn"},
		"service":              {func(c *Config) { c.Service = "Sharing" }, "Service"},
		"no URL":               {func(c *Config) { c.URL = "" }, "https://example.com/hook"},
		"a path":               {func(c *Config) { c.URL = "/hush" }, "https://example.com/hook"},
		"http":                 {func(c *Config) { c.URL, c.AllowPrivate = "http://example.com/hush", false }, "must be https"},
		"ftp":                  {func(c *Config) { c.URL = "ftp://example.com/hush" }, "must be https"},
		"a password":           {func(c *Config) { c.URL = "https://user:hush@example.com/" }, "must not have a user or a password"},
		"a private address":    {func(c *Config) { c.AllowPrivate = false }, "127.0.0.1 is not a public address"},
		"metadata":             {func(c *Config) { c.URL, c.AllowPrivate = "https://[::ffff:169.254.169.254]/", false }, "not a public address"},
		"public http":          {func(c *Config) { c.URL = "http://8.8.8.8/" }, "use https"},
		"no secret":            {func(c *Config) { c.Secrets = "" }, "whsec_$(openssl rand -base64 32)"},
		"a short secret":       {func(c *Config) { c.Secrets = "whsec_aHVzaA==" }, "24 bytes"},
		"two secrets' places":  {func(c *Config) { c.SecretFile = "x" }, "not both"},
		"a proxy":              {func(c *Config) { c.Proxy, c.AllowPrivate, c.URL = true, false, "https://example.com" }, "AllowPrivate"},
		"http by a proxy":      {func(c *Config) { c.Proxy, c.URL = true, "http://10.0.0.1/" }, "must be https"},
		"no authorities":       {func(c *Config) { c.CAFile = "missing" }, "certificate authorities"},
		"negative concurrency": {func(c *Config) { c.Concurrency = -1 }, "Concurrency"},
	} {
		cfg := l.cfg
		tt.change(&cfg)
		_, err := New(t.Context(), cfg)
		if err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v, want one that says %q", name, err, tt.says)
		}
	}
	l.cfg.Registration.Interests = nil
	if _, err := Run(t.Context(), l.cfg); err == nil || !strings.Contains(err.Error(), "--entity") {
		t.Errorf("a service that is not registered: %v", err)
	}
	if n := len(l.requests()); n > 0 {
		t.Errorf("%d requests", n)
	}
}
