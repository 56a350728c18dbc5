package zkmap_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/replhub/replhub/internal/testenv/certtest"
	"github.com/replhub/replhub/internal/testenv/cluster"
	"github.com/replhub/replhub/internal/tree/treetest"
)

// pemFile writes PEM blocks into a file.
func pemFile(t *testing.T, name string, blocks ...[]byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, bytes.Join(blocks, nil), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTLS(t *testing.T) {
	t.Parallel() // as TestAlone
	ca := certtest.New(t)
	cert, key := ca.PairPEM(ca.Issue("localhost")) // the name and no address
	server := cluster.StartZooKeeper(t, cluster.WithTLS(cluster.ZooKeeperTLS{
		KeyStore:   pemFile(t, "server.pem", key, cert),
		TrustStore: ca.File(),
	}))
	_, port, err := net.SplitHostPort(server.SecureServers()[0])
	if err != nil {
		t.Fatal(err)
	}
	// The certificate is for the name: it must reach the check.
	cfg := config(t, "/tls", net.JoinHostPort("localhost", port))
	cfg.TLS = &tls.Config{RootCAs: ca.Pool(), Certificates: []tls.Certificate{ca.Issue("localhost")}}
	m := start(t, cfg)
	mustPut(t, m, "services/a", "1")
	treetest.Await(t, m, "a record", treetest.Has("services/a", "1"))

	var trusted atomic.Pointer[x509.CertPool]
	trusted.Store(certtest.New(t).Pool())
	cfg.TLS = &tls.Config{Certificates: []tls.Certificate{ca.Issue("localhost")}}
	cfg.RootCAs = func() (*x509.CertPool, error) { return trusted.Load(), nil }
	stranger := newMap(t, cfg)
	treetest.Start(t, stranger)
	treetest.Until(t, "the wrong authority told", func() bool {
		return strings.Contains(stranger.Status().Err, "certificate signed by unknown authority")
	})
	if stranger.Snapshot() != nil {
		t.Error("a snapshot from a server that is not trusted")
	}
	trusted.Store(ca.Pool())
	treetest.Await(t, stranger, "the record, from a server that is trusted now", treetest.Has("services/a", "1"))
}
