package zkmap_test

import (
	"bytes"
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"strings"
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

	cfg.TLS = &tls.Config{RootCAs: certtest.New(t).Pool(), Certificates: []tls.Certificate{ca.Issue("localhost")}}
	stranger := newMap(t, cfg)
	treetest.Start(t, stranger)
	treetest.Until(t, "the wrong authority told", func() bool {
		return strings.Contains(stranger.Status().Err, "certificate signed by unknown authority")
	})
	if stranger.Snapshot() != nil {
		t.Error("a snapshot from a server that is not trusted")
	}
}
