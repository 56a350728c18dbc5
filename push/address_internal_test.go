package push

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// lockedBuffer is a log.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// The path of a chat's hook is a secret. It is nowhere where the endpoint is named, even if
// the endpoint repeats it: not in the log, the state, nor a dead letter.
func TestPathIsASecret(t *testing.T) {
	t.Parallel() // it waits most of the time
	l := newLab(t)
	const secret = "whisper-whisper"
	l.cfg.URL = l.server.URL + "/services/T0/" + secret + "?code=" + secret
	var log lockedBuffer
	l.cfg.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	answers := func(status int) func(got, int) (int, map[string]string, string) {
		return func(g got, _ int) (int, map[string]string, string) {
			l.release(g)
			return status, map[string]string{"Location": "/" + secret + "/"}, "Cannot POST /services/T0/" + secret
		}
	}
	p := l.start()
	check := func() {
		t.Helper()
		said := fmt.Sprint(log.String(), l.letters(), p.Degraded(), p.Endpoint())
		if strings.Contains(said, secret) || !strings.Contains(said, l.server.URL) {
			t.Errorf("the secret is said, or not the host: %s", said)
		}
	}
	l.say(answers(400))
	l.publish("1")
	l.await("the dead letter", func() bool { return len(l.letters()) == 1 })
	check()
	for _, answer := range []func(got, int) (int, map[string]string, string){
		answers(404), answers(301), func(g got, _ int) (int, map[string]string, string) {
			l.release(g)
			panic(http.ErrAbortHandler)
		},
	} {
		l.say(answer)
		l.publish("2")
		l.await("the outage", func() bool { return len(p.Degraded()) > 0 })
		check()
		l.say(ok)
		l.await("its end", func() bool { return len(p.Degraded()) == 0 })
	}
	l.say(answers(410))
	l.publish("3")
	l.await("the pause", func() bool { return !p.State().PausedUntil.IsZero() })
	check()
}

// Of what repeats the address, everything is masked that may be a secret.
func TestMasked(t *testing.T) {
	t.Parallel()
	address, err := url.Parse("https://example.com/hook/T0/top%20secret1?code=another%2Bone&n=1")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"no hook at /hook/T0/top%20secret1?code=another%2Bone&n=1": "no hook at …?…",
		"no top secret1 (another+one)":                             "no … (…)",
		"try code another%2Bone, n 1":                              "try code …, n 1",
		"the hook is unknown":                                      "the hook is unknown",
	} {
		if got := masked(text, address); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
