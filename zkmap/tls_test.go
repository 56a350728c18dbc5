package zkmap_test

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
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/replhub/replhub/internal/testenv/cluster"
	"github.com/replhub/replhub/internal/tree/treetest"
)

// authority signs certificates for one test.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	a := authority{t: t}
	a.key = newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.cert = a.sign(template, template, a.key)
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (a authority) sign(template, parent *x509.Certificate, key *ecdsa.PrivateKey) *x509.Certificate {
	a.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert
}

// issue makes a certificate for the name localhost and no address.
func (a authority) issue() tls.Certificate {
	a.t.Helper()
	key := newKey(a.t)
	cert := a.sign(&x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}, a.cert, key)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
}

// file writes certificates, and a key before them, as PEM.
func (a authority) file(name string, key any, certs ...[]byte) string {
	a.t.Helper()
	var out []byte
	if key != nil {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			a.t.Fatal(err)
		}
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})...)
	}
	for _, der := range certs {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	path := filepath.Join(a.t.TempDir(), name)
	if err := os.WriteFile(path, out, 0o600); err != nil {
		a.t.Fatal(err)
	}
	return path
}

func (a authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

func TestTLS(t *testing.T) {
	t.Parallel() // as TestAlone
	ca := newAuthority(t)
	served := ca.issue()
	server := cluster.StartZooKeeper(t, cluster.WithTLS(cluster.ZooKeeperTLS{
		KeyStore:   ca.file("server.pem", served.PrivateKey, served.Certificate...),
		TrustStore: ca.file("ca.pem", nil, ca.cert.Raw),
	}))
	_, port, err := net.SplitHostPort(server.SecureServers()[0])
	if err != nil {
		t.Fatal(err)
	}
	// The certificate is for the name: it must reach the check.
	cfg := config(t, "/tls", net.JoinHostPort("localhost", port))
	cfg.TLS = &tls.Config{RootCAs: ca.pool(), Certificates: []tls.Certificate{ca.issue()}}
	m := start(t, cfg)
	mustPut(t, m, "services/a", "1")
	treetest.Await(t, m, "a record", treetest.Has("services/a", "1"))

	var trusted atomic.Pointer[x509.CertPool]
	trusted.Store(newAuthority(t).pool())
	cfg.TLS = &tls.Config{Certificates: []tls.Certificate{ca.issue()}}
	cfg.RootCAs = func() (*x509.CertPool, error) { return trusted.Load(), nil }
	stranger := newMap(t, cfg)
	treetest.Start(t, stranger)
	treetest.Until(t, "the wrong authority told", func() bool {
		return strings.Contains(stranger.Status().Err, "certificate signed by unknown authority")
	})
	if stranger.Snapshot() != nil {
		t.Error("a snapshot from a server that is not trusted")
	}
	trusted.Store(ca.pool())
	treetest.Await(t, stranger, "the record, from a server that is trusted now", treetest.Has("services/a", "1"))
}
