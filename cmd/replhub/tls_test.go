package main

import (
	"crypto/tls"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/certtest"
)

// tlsServer is a nats-server with JetStream and TLS.
func tlsServer(t *testing.T, ca certtest.Authority, first bool, change ...func(*tls.Config)) string {
	t.Helper()
	config := &tls.Config{Certificates: []tls.Certificate{ca.Issue("127.0.0.1")}, MinVersion: tls.VersionTLS12}
	for _, c := range change {
		c(config)
	}
	s := startServer(t, &server.Options{JetStream: true, TLS: true, TLSConfig: config, TLSHandshakeFirst: first, TLSTimeout: 5, AuthTimeout: 5})
	return "nats://" + s.Addr().String()
}

func TestCLIOverTLS(t *testing.T) {
	newBench(t)
	ca := certtest.New(t)
	trusted := ca.File()
	plain := newBench(t).server.URL()
	withTLS, first := tlsServer(t, ca, false), tlsServer(t, ca, true)
	otherName := tlsServer(t, ca, false, func(c *tls.Config) { c.Certificates = []tls.Certificate{ca.Issue("elsewhere.example")} })
	mutual := tlsServer(t, ca, false, func(c *tls.Config) { c.ClientAuth = tls.RequireAndVerifyClientCert })
	contexts(t, "", map[string]any{
		"first": map[string]any{"url": first, "ca": trusted, "tls_first": true},
		"no-ca": map[string]any{"url": withTLS},
	})
	for name, tt := range map[string]struct {
		args string
		says string // "" is a connection, on which no hub answers
	}{
		"TLS":                    {"--server " + withTLS + " --tlsca " + trusted, ""},
		"tls scheme":             {"--server " + strings.Replace(withTLS, "nats:", "tls:", 1) + " --tlsca " + trusted, ""},
		"TLS first":              {"--server " + first + " --tlsca " + trusted + " --tlsfirst", ""},
		"TLS first by context":   {"--context first", ""},
		"unknown CA":             {"--server " + withTLS, "--tlsca or NATS_CA, or in the context (ca)"},
		"unknown CA, TLS first":  {"--server " + first + " --tlsfirst", "--tlsca or NATS_CA"},
		"unknown CA by context":  {"--context no-ca", "in the context (ca)"},
		"TLS first unknown":      {"--server " + first + " --tlsca " + trusted + " --timeout 300ms", "handshake_first wants --tlsfirst"},
		"not TLS first":          {"--server " + withTLS + " --tlsca " + trusted + " --tlsfirst", "without handshake_first wants no --tlsfirst"},
		"no TLS at all":          {"--server " + plain + " --tlsca " + trusted, "secure connection not available"},
		"another name":           {"--server " + otherName + " --tlsca " + trusted, "a name of the server that its certificate has"},
		"no certificate of ours": {"--server " + mutual + " --tlsca " + trusted, "--tlscert and --tlskey"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("NATS_URL", "")
			o := execute(t.Context(), "", append([]string{"status"}, strings.Fields(tt.args)...)...)
			want := tt.says
			if want == "" {
				want = "no hub answers on the server"
			}
			if o.code != exitFailed || !strings.Contains(o.stderr, want) || strings.Count(o.stderr, "\n") != 1 {
				t.Errorf("exit %d, stderr %q, want one line that says %q", o.code, o.stderr, want)
			}
		})
	}
}

// becomesReady waits until a hub is ready, or has ended.
func (r *running) becomesReady() bool {
	for {
		r.stdout.mu.Lock()
		log, changed := r.stdout.text.String(), r.stdout.changed
		r.stdout.mu.Unlock()
		if strings.Contains(log, "msg=ready") {
			return true
		}
		select {
		case <-changed:
		case code := <-r.code:
			r.code <- code // for the cleanup
			return false
		}
	}
}

func TestServeOverTLS(t *testing.T) {
	ca := certtest.New(t)
	trusted := ca.File()
	withTLS, first := tlsServer(t, ca, false), tlsServer(t, ca, true)
	mutual := tlsServer(t, ca, false, func(c *tls.Config) { c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, ca.Pool() })
	cert, key := certificateFile(t, ca, "hub")
	for name, tt := range map[string]struct {
		env  map[string]string
		says string // "" is a hub that becomes ready
	}{
		"TLS":                   {map[string]string{contract.EnvNATSURL: withTLS, contract.EnvNATSTLSCA: trusted}, ""},
		"TLS first":             {map[string]string{contract.EnvNATSURL: first, contract.EnvNATSTLSCA: trusted, contract.EnvNATSTLSFirst: "true"}, ""},
		"mutual TLS":            {map[string]string{contract.EnvNATSURL: mutual, contract.EnvNATSTLSCA: trusted, contract.EnvNATSTLSCert: cert, contract.EnvNATSTLSKey: key}, ""},
		"no certificate":        {map[string]string{contract.EnvNATSURL: mutual, contract.EnvNATSTLSCA: trusted}, contract.EnvNATSTLSCert},
		"unknown CA":            {map[string]string{contract.EnvNATSURL: withTLS}, contract.EnvNATSTLSCA},
		"unknown CA, TLS first": {map[string]string{contract.EnvNATSURL: first, contract.EnvNATSTLSFirst: "1"}, contract.EnvNATSTLSCA},
		"TLS first unknown":     {map[string]string{contract.EnvNATSURL: first, contract.EnvNATSTLSCA: trusted}, contract.EnvNATSTLSFirst + "=true"},
		"not TLS first":         {map[string]string{contract.EnvNATSURL: withTLS, contract.EnvNATSTLSCA: trusted, contract.EnvNATSTLSFirst: "true"}, "unset " + contract.EnvNATSTLSFirst},
		"no word":               {map[string]string{contract.EnvNATSTLSFirst: "perhaps"}, contract.EnvNATSTLSFirst + `="perhaps": must be true or false`},
	} {
		t.Run(name, func(t *testing.T) {
			clearEnvironment(t)
			for variable, value := range tt.env {
				t.Setenv(variable, value)
			}
			t.Setenv(contract.EnvIngestMaxBytes, "64MiB")
			t.Setenv(contract.EnvDLQMaxBytes, "16MiB")
			r := start(t, "serve")
			if ready := r.becomesReady(); ready != (tt.says == "") {
				t.Fatalf("ready %v: %s", ready, r.stderr)
			} else if ready {
				return
			}
			if code := r.ended(t); code != exitFailed || !strings.Contains(r.stderr.String(), tt.says) {
				t.Errorf("exit %d, stderr %q, want one that says %q", code, r.stderr, tt.says)
			}
		})
	}
}
