package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/replhub/replhub/internal/contract"
)

// authority signs certificates of a test's servers.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string // in PEM form
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return authority{cert: cert, key: key, file: writeFile(t, "ca.pem", string(text))}
}

// certificate is one for a server on the loopback, by its address or by a name
// only.
func (a authority) certificate(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "server"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if ip := net.ParseIP(name); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// tlsServer is a nats-server with JetStream and TLS.
func (a authority) server(t *testing.T, first bool, change ...func(*tls.Config)) string {
	t.Helper()
	config := &tls.Config{Certificates: []tls.Certificate{a.certificate(t, "127.0.0.1")}, MinVersion: tls.VersionTLS12}
	for _, c := range change {
		c(config)
	}
	s := startServer(t, &server.Options{JetStream: true, TLS: true, TLSConfig: config, TLSHandshakeFirst: first, TLSTimeout: 5, AuthTimeout: 5})
	return "nats://" + s.Addr().String()
}

func TestCLIOverTLS(t *testing.T) {
	newBench(t)
	ca := newAuthority(t)
	plain := newBench(t).server.URL()
	withTLS, first := ca.server(t, false), ca.server(t, true)
	otherName := ca.server(t, false, func(c *tls.Config) { c.Certificates = []tls.Certificate{ca.certificate(t, "elsewhere.example")} })
	mutual := ca.server(t, false, func(c *tls.Config) { c.ClientAuth = tls.RequireAndVerifyClientCert })
	contexts(t, "", map[string]any{
		"first": map[string]any{"url": first, "ca": ca.file, "tls_first": true},
		"no-ca": map[string]any{"url": withTLS},
	})
	for name, tt := range map[string]struct {
		args string
		says string // "" is a connection, on which no hub answers
	}{
		"TLS":                    {"--server " + withTLS + " --tlsca " + ca.file, ""},
		"tls scheme":             {"--server " + strings.Replace(withTLS, "nats:", "tls:", 1) + " --tlsca " + ca.file, ""},
		"TLS first":              {"--server " + first + " --tlsca " + ca.file + " --tlsfirst", ""},
		"TLS first by context":   {"--context first", ""},
		"unknown CA":             {"--server " + withTLS, "--tlsca or NATS_CA, or in the context (ca)"},
		"unknown CA, TLS first":  {"--server " + first + " --tlsfirst", "--tlsca or NATS_CA"},
		"unknown CA by context":  {"--context no-ca", "in the context (ca)"},
		"TLS first unknown":      {"--server " + first + " --tlsca " + ca.file + " --timeout 300ms", "handshake_first wants --tlsfirst"},
		"not TLS first":          {"--server " + withTLS + " --tlsca " + ca.file + " --tlsfirst", "without handshake_first wants no --tlsfirst"},
		"no TLS at all":          {"--server " + plain + " --tlsca " + ca.file, "secure connection not available"},
		"another name":           {"--server " + otherName + " --tlsca " + ca.file, "a name of the server that its certificate has"},
		"no certificate of ours": {"--server " + mutual + " --tlsca " + ca.file, "--tlscert and --tlskey"},
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
	ca := newAuthority(t)
	withTLS, first := ca.server(t, false), ca.server(t, true)
	for name, tt := range map[string]struct {
		env  map[string]string
		says string // "" is a hub that becomes ready
	}{
		"TLS":                   {map[string]string{contract.EnvNATSURL: withTLS, contract.EnvNATSTLSCA: ca.file}, ""},
		"TLS first":             {map[string]string{contract.EnvNATSURL: first, contract.EnvNATSTLSCA: ca.file, contract.EnvNATSTLSFirst: "true"}, ""},
		"unknown CA":            {map[string]string{contract.EnvNATSURL: withTLS}, contract.EnvNATSTLSCA},
		"unknown CA, TLS first": {map[string]string{contract.EnvNATSURL: first, contract.EnvNATSTLSFirst: "1"}, contract.EnvNATSTLSCA},
		"TLS first unknown":     {map[string]string{contract.EnvNATSURL: first, contract.EnvNATSTLSCA: ca.file}, contract.EnvNATSTLSFirst + "=true"},
		"not TLS first":         {map[string]string{contract.EnvNATSURL: withTLS, contract.EnvNATSTLSCA: ca.file, contract.EnvNATSTLSFirst: "true"}, "unset " + contract.EnvNATSTLSFirst},
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
