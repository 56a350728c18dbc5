package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/push"
	"github.com/replhub/replhub/replhubtest"
)

const pushSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// hook is an endpoint that notes ids, and may hold its answers back.
type hook struct {
	*httptest.Server

	ca string

	mu   sync.Mutex // guards the rest
	ids  []string
	hold chan struct{} // nil answers at once
}

func newHook(t *testing.T) *hook {
	t.Helper()
	h := &hook{}
	h.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		h.mu.Lock()
		h.ids = append(h.ids, r.Header.Get("Webhook-Id"))
		hold := h.hold
		h.mu.Unlock()
		if hold != nil {
			select {
			case <-hold:
			case <-r.Context().Done():
			}
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(h.Close)
	h.ca = secretFile(t, "ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.Certificate().Raw})))
	return h
}

func (h *hook) got() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]string(nil), h.ids...)
}

func users(keys ...string) []replhub.Event {
	var events []replhub.Event
	for _, key := range keys {
		events = append(events, replhub.Event{Entity: "user", Op: replhub.Update, Key: key, Data: []byte(`{"id":"` + key + `","name":"hush-hush","tenant":"acme"}`)})
	}
	return events
}

// The command registers what its flags, its variables and its file say, delivers, and with
// --once ends with a summary. Neither payloads nor secrets are in the log.
func TestPush(t *testing.T) {
	newBench(t)
	hub, endpoint := replhubtest.Start(t), newHook(t)
	t.Setenv("NATS_URL", hub.URL())
	hub.Publish(t, users("1", "2", "1")...)
	t.Setenv(envPushSecret, pushSecret)
	t.Setenv("REPLHUB_PUSH_CA", endpoint.ca)
	config := configFile(t, "url: "+endpoint.URL+"/hook/hush-hush?code=hush-hush\nallow_private: true\nentity: user\nfields: id,tenant\nwhere: {user: data.id != '2'}\nstart: all\nhttp_addr: 127.0.0.1:0\nlog_level: debug\n")
	o := execute(t.Context(), "", "push", "sharing", "--config", config, "--once", "--json")
	var summary push.Summary
	if err := json.Unmarshal([]byte(o.stdout), &summary); err != nil || o.code != exitDone {
		t.Fatalf("exit %d, %v: %s%s", o.code, err, o.stdout, o.stderr)
	}
	if summary.Service != "sharing" || summary.Delivered != 2 || summary.DeadLetters != 0 || summary.Answers["204"] != 2 {
		t.Errorf("%+v", summary)
	}
	if strings.Contains(o.stderr, "hush-hush") || strings.Contains(o.stderr, pushSecret[6:]) {
		t.Errorf("a payload or a secret is in the log: %s", o.stderr)
	}
	o = execute(t.Context(), "", "push", "sharing", "--config", config, "--once")
	if o.code != exitDone || o.stdout != "sharing: 0 events delivered, 0 dead letters (no requests)\n" {
		t.Errorf("exit %d: %s%s", o.code, o.stdout, o.stderr)
	}
	endpoint.Close()
	if o := execute(t.Context(), "", "push", "sharing", "--url", "https://10.0.0.1/"); o.code != exitFailed || !strings.Contains(o.stderr, "--allow-private") {
		t.Errorf("exit %d: %s", o.code, o.stderr)
	}
}

func TestPushWithoutURLOrSecret(t *testing.T) {
	newBench(t)
	for _, args := range [][]string{{"push", "sharing"}, {"push", "sharing", "--url", "https://example.com"}} {
		if o := execute(t.Context(), "", args...); o.code != exitUsage || !strings.Contains(o.stderr, "give --") {
			t.Errorf("%q: exit %d: %s", args, o.code, o.stderr)
		}
	}
}

// Health and metrics tell the state; a signal ends the command with exit code 0.
func TestPushIsSeen(t *testing.T) {
	newBench(t)
	hub, endpoint := replhubtest.Start(t), newHook(t)
	t.Setenv("NATS_URL", hub.URL())
	hub.Publish(t, users("1")...)
	ctx, stop := context.WithCancel(t.Context())
	var stdout bytes.Buffer
	log := &syncBuffer{}
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{
			"push", "sharing", "--url", endpoint.URL, "--ca", endpoint.ca, "--secret-file", secretFile(t, "secret", pushSecret),
			"--allow-private", "--entity", "user", "--start", "all", "--http-addr", "127.0.0.1:0",
		}, strings.NewReader(""), &stdout, log)
	}()
	addr := ""
	replhubtest.Await(t, "the address of HTTP", func() error {
		found := regexp.MustCompile(`http=(\S+)`).FindStringSubmatch(log.String())
		if found == nil {
			return io.EOF
		}
		addr = found[1]
		return nil
	})
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for path, want := range map[string]string{
		"/readyz": `{"command":"push","service":"sharing","ready":true,"degraded":[]}`, "/metrics": `replhub_push_requests_total{code="2xx"} 1`, "/healthz": "ok",
	} {
		replhubtest.Await(t, path, func() error {
			resp, err := client.Get("http://" + addr + path)
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			body, _ := io.ReadAll(resp.Body)
			if !strings.Contains(string(body), want) {
				return &usageError{string(body)}
			}
			return nil
		})
	}
	stop()
	if code := <-ended; code != exitDone || !strings.HasPrefix(stdout.String(), "sharing: 1 event delivered") {
		t.Errorf("exit %d: %s%s", code, stdout.String(), log.String())
	}
}

// syncBuffer is a log that is read while it is written.
type syncBuffer struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

// Write implements io.Writer.
func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// A process that is killed in the middle of its requests loses nothing: the next one
// repeats them under the same ids.
func TestPushIsKilled(t *testing.T) {
	newBench(t)
	hub, endpoint := replhubtest.Start(t), newHook(t)
	t.Setenv("NATS_URL", hub.URL())
	hub.Publish(t, users("1", "2", "3", "4")...)
	endpoint.hold = make(chan struct{})
	args := []string{
		"push", "sharing", "--url", endpoint.URL, "--ca", endpoint.ca, "--allow-private", "--entity", "user", "--start", "all", "--http-addr", httpNone,
		"--secret-file", secretFile(t, "secret", pushSecret), "--once",
	}
	child := exec.CommandContext(t.Context(), os.Args[0], args...)
	child.Env = append(os.Environ(), asCommand+"=1")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	replhubtest.Await(t, "the requests", func() error {
		if len(endpoint.got()) < 4 {
			return io.EOF
		}
		return nil
	})
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // it was killed
	began := time.Now()
	endpoint.mu.Lock()
	endpoint.hold = nil
	endpoint.mu.Unlock()
	if o := execute(t.Context(), "", args...); o.code != exitDone || !strings.HasPrefix(o.stdout, "sharing: 4 events delivered, 0 dead letters") {
		t.Errorf("exit %d: %s%s", o.code, o.stdout, o.stderr)
	}
	times := map[string]int{}
	for _, id := range endpoint.got() {
		times[id]++
	}
	for _, id := range []string{"sharing_1-1", "sharing_1-2", "sharing_1-3", "sharing_1-4"} {
		if times[id] != 2 {
			t.Errorf("%s was requested %d times", id, times[id])
		}
	}
	t.Logf("delivered %s after the kill", time.Since(began).Round(time.Millisecond))
}
