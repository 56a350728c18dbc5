package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/opshttp"
	"github.com/replhub/replhub/internal/testenv/certtest"
)

// secretFile writes a file that only the owner may read.
func secretFile(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// certificateFile writes a server's certificate and its key.
func certificateFile(t *testing.T, ca certtest.Authority, host string) (cert, key string) {
	t.Helper()
	certPEM, keyPEM := ca.PairPEM(ca.Issue(host))
	return secretFile(t, "cert.pem", string(certPEM)), secretFile(t, "key.pem", string(keyPEM))
}

const httpToken = "0123456789abcdef-token"

// Where other machines can reach HTTP, it has a token and TLS, or the hub does not start.
func TestHTTPBeyondThisMachine(t *testing.T) {
	ca := certtest.New(t)
	cert, key := certificateFile(t, ca, "127.0.0.1")
	token := secretFile(t, "token", httpToken+"\n")
	for name, tt := range map[string]struct {
		s    opshttp.Settings
		says string // "" listens
	}{
		"loopback":                {opshttp.Settings{Addr: "127.0.0.1:0"}, ""},
		"localhost":               {opshttp.Settings{Addr: "localhost:0"}, ""},
		"loopback with TLS alone": {opshttp.Settings{Addr: "127.0.0.1:0", TLS: opshttp.CertificateFiles{Cert: cert, Key: key}}, ""},
		"all addresses":           {opshttp.Settings{Addr: ":0"}, contract.EnvHTTPTokenFile},
		"all addresses by number": {opshttp.Settings{Addr: "0.0.0.0:0"}, contract.EnvHTTPTLSCert},
		"with a token alone":      {opshttp.Settings{Addr: ":0", TokenFile: token}, contract.EnvHTTPTLSCert},
		"with TLS alone":          {opshttp.Settings{Addr: ":0", TLS: opshttp.CertificateFiles{Cert: cert, Key: key}}, contract.EnvHTTPTokenFile},
		"with both":               {opshttp.Settings{Addr: ":0", TokenFile: token, TLS: opshttp.CertificateFiles{Cert: cert, Key: key}}, ""},
		"behind a proxy":          {opshttp.Settings{Addr: ":0", TokenFile: token, Behind: true}, ""},
		"a proxy without a token": {opshttp.Settings{Addr: ":0", Behind: true}, contract.EnvHTTPTokenFile},
		"a token that is guessed": {opshttp.Settings{Addr: "127.0.0.1:0", TokenFile: secretFile(t, "short", "hush-hush")}, "at least 16"},
		"no token in the file":    {opshttp.Settings{Addr: ":0", TokenFile: secretFile(t, "empty", "\n"), TLS: opshttp.CertificateFiles{Cert: cert, Key: key}}, contract.EnvHTTPTokenFile},
		"no file":                 {opshttp.Settings{Addr: "127.0.0.1:0", TokenFile: token + "x"}, contract.EnvHTTPTokenFile},
		"a key that does not fit": {opshttp.Settings{Addr: "127.0.0.1:0", TLS: opshttp.CertificateFiles{Cert: cert, Key: cert}}, contract.EnvHTTPTLSCert},
	} {
		t.Run(name, func(t *testing.T) {
			listener, err := tt.s.Listen(t.Context())
			if listener != nil {
				defer listener.Close()
			}
			if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v, want one that says %q", err, tt.says)
			}
			if err != nil && strings.Contains(err.Error(), "hush-hush") {
				t.Errorf("the token is in the error: %v", err)
			}
		})
	}
	newBench(t)
	if o := execute(t.Context(), "", "dev", "--http", "0.0.0.0:0"); o.code != exitFailed || !strings.Contains(o.stderr, "listen on 127.0.0.1") {
		t.Errorf("dev: exit %d, %s", o.code, o.stderr)
	}
}

// A certificate that clients refuse, or that cannot be read, is named by its file.
func TestTroubleWithHTTPFiles(t *testing.T) {
	ca := certtest.New(t)
	pair := func(end time.Time) opshttp.CertificateFiles {
		cert, key := ca.PairPEM(ca.IssueUntil("127.0.0.1", end))
		return opshttp.CertificateFiles{Cert: secretFile(t, "cert.pem", string(cert)), Key: secretFile(t, "key.pem", string(key))}
	}
	token, good := secretFile(t, "token", httpToken), pair(time.Now().Add(time.Hour))
	for name, tt := range map[string]struct {
		s    opshttp.Settings
		says []string
	}{
		"nothing":      {opshttp.Settings{}, nil},
		"in order":     {opshttp.Settings{TokenFile: token, TLS: good}, nil},
		"expired":      {opshttp.Settings{TLS: pair(time.Now().Add(-time.Minute))}, []string{"cert.pem", "has expired"}},
		"too early":    {opshttp.Settings{TLS: pair(time.Now().Add(3 * time.Hour))}, []string{"cert.pem", "not valid before"}},
		"no file":      {opshttp.Settings{TLS: opshttp.CertificateFiles{Cert: good.Cert + "x", Key: good.Key}}, []string{contract.EnvHTTPTLSCert, "no such file"}},
		"no token":     {opshttp.Settings{TokenFile: token + "x"}, []string{contract.EnvHTTPTokenFile, "no such file"}},
		"an odd token": {opshttp.Settings{TokenFile: secretFile(t, "odd", "hush-hush and more than that")}, []string{contract.EnvHTTPTokenFile, "one word"}},
	} {
		got := tt.s.Trouble()
		if (got == "") != (tt.says == nil) || strings.Contains(got, "hush") {
			t.Errorf("%s: %q", name, got)
		}
		for _, word := range tt.says {
			if !strings.Contains(got, word) {
				t.Errorf("%s: %q does not say %q", name, got, word)
			}
		}
	}
}

// A hub with a token and TLS: each path demands the token, which may be replaced while the
// hub runs. No secret is in the log, or in what HTTP answers.
func TestHTTPWithTokenAndTLS(t *testing.T) {
	clearEnvironment(t)
	ca := certtest.New(t)
	cert, key := certificateFile(t, ca, "127.0.0.1")
	token := secretFile(t, "token", httpToken+"\n")
	b := newBench(t)
	for name, value := range map[string]string{
		contract.EnvNATSURL: b.server.URL(), contract.EnvHTTPAddr: "127.0.0.1:0", contract.EnvHTTPTokenFile: token,
		contract.EnvHTTPTLSCert: cert, contract.EnvHTTPTLSKey: key, contract.EnvIngestMaxBytes: "64MiB", contract.EnvDLQMaxBytes: "16MiB",
		contract.EnvLogLevel: "debug",
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
	pool := x509.NewCertPool()
	authority, err := os.ReadFile(ca.File())
	if err != nil || !pool.AppendCertsFromPEM(authority) {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	defer transport.CloseIdleConnections()
	get := func(path, token string) (int, string) {
		return getWith(t.Context(), t, transport, "https://"+found[1]+path, token)
	}
	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/else"} {
		for _, wrong := range []string{"", "Bearer", "Bearer x" + httpToken, "Basic " + httpToken, httpToken} {
			if code, body := get(path, wrong); code != http.StatusUnauthorized || strings.Contains(body, "replhub_") {
				t.Errorf("%s with %q: %d %s", path, wrong, code, body)
			}
		}
	}
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		if code, body := get(path, "Bearer "+httpToken); code != http.StatusOK || strings.Contains(body, httpToken) {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
	if err := os.WriteFile(token, []byte("another-token-of-the-hub"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _ := get("/healthz", "Bearer "+httpToken); code != http.StatusUnauthorized {
		t.Errorf("the old token: %d", code)
	}
	if code, _ := get("/healthz", "Bearer another-token-of-the-hub"); code != http.StatusOK {
		t.Errorf("the new token: %d", code)
	}
	if err := os.Remove(token); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if code, _ := get("/healthz", "Bearer another-token-of-the-hub"); code != http.StatusUnauthorized {
			t.Errorf("without a token's file: %d", code)
		}
	}
	if n := strings.Count(r.log(), "read the token of HTTP"); n != 1 {
		t.Errorf("that the token cannot be read is logged %d times", n)
	}
	r.stdout.await(t, "every HTTP request is refused")
	if o := execute(t.Context(), "", "status"); !strings.Contains(o.stdout, "every HTTP request is refused") {
		t.Errorf("status does not name the token's file:\n%s%s", o.stdout, o.stderr)
	}
	if log := r.log() + r.stderr.String(); strings.Contains(log, httpToken) || strings.Contains(log, "another-token") {
		t.Error("a token is in the log")
	}
}

func getWith(ctx context.Context, t *testing.T, transport http.RoundTripper, url, authorization string) (code int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	answer, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// log is what the command has logged so far.
func (r *running) log() string {
	r.stdout.mu.Lock()
	defer r.stdout.mu.Unlock()
	return r.stdout.text.String()
}
