package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/certtest"
	"github.com/replhub/replhub/internal/testenv/cluster"
)

// rotation is a server whose credentials change under a running hub, and the hub's files.
type rotation struct {
	server *cluster.NATS
	env    map[string]string
	// refuse has the server refuse what the files hold; says is what the hub then logs.
	refuse func()
	says   string
	// follow brings the files up to the server.
	follow func()
}

// Whatever the hub is let in by, a server that changes before the files keeps the hub
// waiting, and ends nothing.
func TestHubOutlivesEachRotation(t *testing.T) {
	for name, rotate := range map[string]func(t *testing.T) rotation{"nkey": rotateNkey, "creds": rotateCreds, "tls": rotateTLS} {
		t.Run(name, func(t *testing.T) {
			clearEnvironment(t)
			rot := rotate(t)
			t.Setenv(contract.EnvNATSURL, rot.server.URL())
			for name, value := range rot.env {
				t.Setenv(name, value)
			}
			r := start(t, "serve")
			ready := r.stdout.await(t, "msg=ready")
			rot.refuse()
			r.stdout.await(t, rot.says)
			rot.follow()
			r.stdout.await(t, "nats connection is back")
			get(t, "http://"+field(t, ready, "http")+"/readyz")
			r.stop()
			if code := r.ended(t); code != exitDone {
				t.Errorf("exit %d: %s", code, r.stderr)
			}
		})
	}
}

// write replaces a file in the way that operators should.
func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// pair is a key of NATS: its seed and its public key.
type pair struct {
	nkeys.KeyPair
	seed   []byte
	public string
}

func newPair(t *testing.T, create func() (nkeys.KeyPair, error)) pair {
	t.Helper()
	k, err1 := create()
	seed, err2 := k.Seed()
	public, err3 := k.PublicKey()
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	return pair{k, seed, public}
}

func rotateNkey(t *testing.T) rotation {
	before, after := newPair(t, nkeys.CreateUser), newPair(t, nkeys.CreateUser)
	server := cluster.StartNATS(t, cluster.NATSNkey(before.public))
	file := writeFile(t, "nkey", string(before.seed))
	return rotation{
		server: server, env: map[string]string{contract.EnvNATSNkey: file},
		refuse: func() { server.SetUsers(cluster.NATSNkey(after.public)) }, says: "the server has other credentials",
		follow: func() { write(t, file, after.seed) },
	}
}

// rotateCreds has the server revoke the credentials of a user.
func rotateCreds(t *testing.T) rotation {
	operator, account, system := newPair(t, nkeys.CreateOperator), newPair(t, nkeys.CreateAccount), newPair(t, nkeys.CreateAccount)
	signed := func(claims jwt.Claims, by pair) string {
		t.Helper()
		text, err := claims.Encode(by.KeyPair)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	creds := func(of pair) []byte {
		t.Helper()
		file, err := jwt.FormatUserConfig(signed(jwt.NewUserClaims(of.public), account), of.seed)
		if err != nil {
			t.Fatal(err)
		}
		return file
	}
	limited := jwt.NewAccountClaims(account.public)
	limited.Limits.JetStreamLimits = jwt.JetStreamLimits{DiskStorage: -1, MemoryStorage: -1, Streams: -1, Consumer: -1}
	root, house := signed(jwt.NewOperatorClaims(operator.public), operator), signed(jwt.NewAccountClaims(system.public), operator)
	trust := func() cluster.NATSOption {
		return cluster.NATSConfig(fmt.Sprintf("operator: %q\nsystem_account: %q\nresolver: MEMORY\nresolver_preload: {%s: %q, %s: %q}",
			root, system.public, account.public, signed(limited, operator), system.public, house))
	}
	before, after := newPair(t, nkeys.CreateUser), newPair(t, nkeys.CreateUser)
	server := cluster.StartNATS(t, trust())
	file := writeFile(t, "hub.creds", string(creds(before)))
	return rotation{
		server: server, env: map[string]string{contract.EnvNATSCreds: file},
		refuse: func() {
			limited.RevokeAt(before.public, time.Now().Add(time.Minute))
			server.SetConfig(trust())
		},
		says:   "the server has other credentials",
		follow: func() { write(t, file, creds(after)) },
	}
}

// rotateTLS has a server move to another authority, for its own certificate and for those
// of clients.
func rotateTLS(t *testing.T) rotation {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	issue := func(ca certtest.Authority, of string) {
		t.Helper()
		cert, key := ca.PairPEM(ca.Issue("127.0.0.1"))
		write(t, at(of+"-ca.pem"), ca.PEM())
		write(t, at(of+"-cert.pem"), cert)
		write(t, at(of+"-key.pem"), key)
	}
	before, after := certtest.New(t), certtest.New(t)
	issue(before, "server")
	issue(before, "hub")
	server := cluster.StartNATS(t, cluster.NATSConfig(fmt.Sprintf("tls { cert_file: %q, key_file: %q, ca_file: %q, verify: true }",
		at("server-cert.pem"), at("server-key.pem"), at("server-ca.pem"))))
	return rotation{
		server: server, env: map[string]string{contract.EnvNATSTLSCA: at("hub-ca.pem"), contract.EnvNATSTLSCert: at("hub-cert.pem"), contract.EnvNATSTLSKey: at("hub-key.pem")},
		refuse: func() {
			issue(after, "server")
			server.Stop()
			server.Start()
		},
		says:   "no connection to NATS",
		follow: func() { issue(after, "hub") },
	}
}
