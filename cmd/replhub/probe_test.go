package main

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/certtest"
)

// A probe says what a hub with a token and TLS answers, with the hub's own variables. It
// believes no other certificate, and fails where nothing answers.
func TestProbe(t *testing.T) {
	clearEnvironment(t)
	ca := certtest.New(t)
	cert, key := certificateFile(t, ca, "hub.example")
	b := newBench(t)
	for name, value := range map[string]string{
		contract.EnvNATSURL: b.server.URL(), contract.EnvHTTPAddr: "127.0.0.1:0", contract.EnvHTTPTokenFile: secretFile(t, "token", httpToken),
		contract.EnvHTTPTLSCert: cert, contract.EnvHTTPTLSKey: key, contract.EnvIngestMaxBytes: "64MiB", contract.EnvDLQMaxBytes: "16MiB",
	} {
		t.Setenv(name, value)
	}
	r := start(t, "serve")
	if !r.becomesReady() {
		t.Fatal(r.stderr)
	}
	found := regexp.MustCompile(`http=(\S+)`).FindStringSubmatch(r.log())
	if found == nil {
		t.Fatal(r.log())
	}
	t.Setenv(contract.EnvHTTPAddr, found[1])
	if o := execute(t.Context(), "", "probe", "healthz"); o.code != exitDone || o.stdout != "ok\n" {
		t.Errorf("%+v", o)
	}
	if o := execute(t.Context(), "", "probe", "readyz"); o.code != exitDone || !strings.Contains(o.stdout, `"degraded"`) {
		t.Errorf("%+v", o)
	}
	_, port, _ := strings.Cut(found[1], ":")
	if o := execute(t.Context(), "", "probe", "healthz", "--http-addr", "0.0.0.0:"+port); o.code != exitDone {
		t.Errorf("an address that listens everywhere: %+v", o)
	}
	otherCert, otherKey := certificateFile(t, ca, "hub.example")
	for name, args := range map[string][]string{
		"another certificate": {"--http-tls-cert", otherCert, "--http-tls-key", otherKey},
		"another token":       {"--http-token-file", secretFile(t, "other", "x"+httpToken)},
		"nobody":              {"--http-addr", "127.0.0.1:1"},
		"no port":             {"--http-addr", "127.0.0.1:0"},
	} {
		if o := execute(t.Context(), "", append([]string{"probe", "healthz"}, args...)...); o.code != exitFailed || strings.Contains(o.stderr, httpToken) {
			t.Errorf("%s: %+v", name, o)
		}
	}
	for _, args := range [][]string{{"probe"}, {"probe", "metrics"}, {"probe", "healthz", "--server", "nats://x"}} {
		if o := execute(t.Context(), "", args...); o.code != exitUsage {
			t.Errorf("%v: %+v", args, o)
		}
	}
}

// A process that is not ready fails the probe, with its reason.
func TestProbeOfWhatIsNotReady(t *testing.T) {
	clearEnvironment(t)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte(`{"ready":false,"reason":"standby"}`))
	}))
	defer s.Close()
	o := execute(t.Context(), "", "probe", "readyz", "--http-addr", strings.TrimPrefix(s.URL, "http://"))
	if o.code != exitFailed || !strings.Contains(o.stderr, "503") || !strings.Contains(o.stderr, "standby") {
		t.Errorf("%+v", o)
	}
}
