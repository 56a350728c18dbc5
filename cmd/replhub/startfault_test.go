package main

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/natstest"
)

// besideStream is a server with a stream of somebody else's.
func besideStream(t *testing.T, subject string) map[string]string {
	t.Helper()
	b := newBench(t)
	b.createStream(t, "AUDIT", subject)
	bucket := jetstream.KeyValueConfig{Bucket: contract.BucketRegistry} // see "foreign lane"
	if _, err := b.jetStream(t).CreateKeyValue(t.Context(), bucket); err != nil {
		t.Fatal(err)
	}
	return map[string]string{contract.EnvNATSURL: b.server.URL()}
}

func TestStartFaultsAreOneLineThatSaysWhatToDo(t *testing.T) {
	const secret = "hush-hush"
	for name, tt := range map[string]struct {
		env  func(t *testing.T) map[string]string
		says []string
	}{
		"HTTP port taken": {
			func(t *testing.T) map[string]string {
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = l.Close() })
				return map[string]string{contract.EnvHTTPAddr: l.Addr().String()}
			}, []string{"the port is taken", contract.EnvHTTPAddr},
		},
		"HTTP address that is none": {
			func(*testing.T) map[string]string { return map[string]string{contract.EnvHTTPAddr: "here"} },
			[]string{contract.EnvHTTPAddr},
		},
		"NATS unreachable": {
			func(*testing.T) map[string]string {
				return map[string]string{contract.EnvNATSURL: "nats://ada:" + secret + "@127.0.0.1:1"}
			}, []string{"no server answers there", "nats://127.0.0.1:1", contract.EnvNATSURL},
		},
		"NATS URL that is none": {
			func(*testing.T) map[string]string {
				return map[string]string{contract.EnvNATSURL: "nats://ada:" + secret + "@[::1"}
			}, []string{contract.EnvNATSURL},
		},
		"password that splits the URL": {
			func(*testing.T) map[string]string {
				return map[string]string{contract.EnvNATSURL: "nats://ada:" + secret + "/more@127.0.0.1:1"}
			}, []string{contract.EnvNATSURL, "percent-encoded"},
		},
		"no JetStream, token": {
			func(t *testing.T) map[string]string {
				at := startServer(t, &server.Options{Authorization: secret}).ClientURL()
				return map[string]string{contract.EnvNATSURL: strings.Replace(at, "nats://", "nats://"+secret+"@", 1)}
			}, []string{"the server at nats://127.0.0.1:", "runs without JetStream"},
		},
		"ZooKeeper address with a password": {
			func(t *testing.T) map[string]string {
				return map[string]string{contract.EnvNATSURL: newBench(t).server.URL(), contract.EnvZKServers: "zk1:2181,ada:" + secret + "@zk2:2181"}
			}, []string{"host:port", "AuthFile"},
		},
		"no credentials": {
			func(t *testing.T) map[string]string {
				s := startServer(t, &server.Options{Username: "hub", Password: "right", JetStream: true})
				return map[string]string{contract.EnvNATSURL: s.ClientURL()}
			}, []string{"credentials are refused", contract.EnvNATSCreds},
		},
		"wrong password": {
			func(t *testing.T) map[string]string {
				s := startServer(t, &server.Options{Username: "hub", Password: "right", JetStream: true})
				return map[string]string{
					contract.EnvNATSURL: s.ClientURL(), contract.EnvNATSUser: "hub",
					contract.EnvNATSPasswordFile: writeFile(t, "password", secret+"\n"),
				}
			}, []string{"credentials are refused", contract.EnvNATSPasswordFile},
		},
		"no password file": {
			func(*testing.T) map[string]string {
				return map[string]string{contract.EnvNATSUser: "hub", contract.EnvNATSPasswordFile: "/nowhere/password"}
			}, []string{contract.EnvNATSPasswordFile, "/nowhere/password"},
		},
		"no credentials file": {
			func(*testing.T) map[string]string {
				return map[string]string{contract.EnvNATSCreds: "/nowhere/hub.creds"}
			},
			[]string{contract.EnvNATSCreds, "/nowhere/hub.creds"},
		},
		"nkey file without a seed": {
			func(t *testing.T) map[string]string {
				return map[string]string{contract.EnvNATSNkey: writeFile(t, "seed", secret)}
			}, []string{contract.EnvNATSNkey, "holds no nkey seed"},
		},
		"authorities that are none": {
			func(t *testing.T) map[string]string {
				return map[string]string{contract.EnvNATSTLSCA: writeFile(t, "ca.pem", secret)}
			}, []string{contract.EnvNATSTLSCA, "no certificate"},
		},
		"no JetStream": {
			func(t *testing.T) map[string]string {
				return map[string]string{contract.EnvNATSURL: startServer(t, &server.Options{}).ClientURL()}
			}, []string{"runs without JetStream", "nats-server -js"},
		},
		"server too old": {
			func(t *testing.T) map[string]string {
				return map[string]string{contract.EnvNATSURL: natstest.StartOld(t, "2.10.29")}
			},
			[]string{"2.10.29 is too old", "2.12 or later", "upgrade"},
		},
		"foreign ingest": {
			func(t *testing.T) map[string]string {
				b := newBench(t)
				b.createStream(t, "DB", "db.>")
				return map[string]string{contract.EnvNATSURL: b.server.URL()}
			}, []string{`stream "DB" exists but was not made by replhub`, "rename or delete it"},
		},
		"foreign lane": {
			func(t *testing.T) map[string]string {
				b := newBench(t)
				b.createStream(t, "SUB_sharing", "sub.sharing.>")
				// The registry starts along with the hub, and a server that is
				// shut down while it makes a stream leaks a goroutine.
				bucket := jetstream.KeyValueConfig{Bucket: contract.BucketRegistry}
				if _, err := b.jetStream(t).CreateKeyValue(t.Context(), bucket); err != nil {
					t.Fatal(err)
				}
				return map[string]string{contract.EnvNATSURL: b.server.URL()}
			}, []string{`stream "SUB_sharing" exists but was not made by replhub`},
		},
		"foreign stream over the ledger": {
			func(t *testing.T) map[string]string { return besideStream(t, "replhub.>") },
			[]string{`stream "AUDIT" takes the subject replhub._ledger`, "change the stream's subjects"},
		},
		"foreign stream over ingest": {
			func(t *testing.T) map[string]string { return besideStream(t, "db.*.create") },
			[]string{`stream "AUDIT" takes the subject db.*.create`, "change the stream's subjects"},
		},
		"no room": {
			func(t *testing.T) map[string]string {
				s := startServer(t, &server.Options{JetStream: true, JetStreamMaxStore: 32 << 20})
				return map[string]string{contract.EnvNATSURL: s.ClientURL()}
			}, []string{"insufficient storage", contract.EnvIngestMaxBytes},
		},
		"misspelt variable": {
			func(*testing.T) map[string]string { return map[string]string{"REPLHUB_ZK_SERVER": "zk:2181"} },
			[]string{"REPLHUB_ZK_SERVER is no variable", "did you mean REPLHUB_ZK_SERVERS?"},
		},
		"zk without servers": {
			func(*testing.T) map[string]string { return map[string]string{contract.EnvRegistry: "zk"} },
			[]string{contract.EnvZKServers},
		},
	} {
		t.Run(name, func(t *testing.T) {
			clearEnvironment(t)
			for variable, value := range tt.env(t) {
				t.Setenv(variable, value)
			}
			t.Setenv(contract.EnvLogLevel, "error")
			o := execute(t.Context(), "", "serve")
			if o.code != exitFailed || strings.Count(o.stderr, "\n") != 1 {
				t.Errorf("exit %d, want %d and one line:\n%s", o.code, exitFailed, o.stderr)
			}
			for _, part := range tt.says {
				if !strings.Contains(o.stderr, part) {
					t.Errorf("stderr %q does not say %q", o.stderr, part)
				}
			}
			if strings.Contains(o.stderr+o.stdout, secret) {
				t.Errorf("a secret shows:\n%s%s", o.stderr, o.stdout)
			}
		})
	}
}

func TestZooKeeperUnreachableAtTheFirstStart(t *testing.T) {
	clearEnvironment(t)
	b := newBench(t)
	t.Setenv(contract.EnvNATSURL, b.server.URL())
	t.Setenv(contract.EnvZKServers, "127.0.0.1:1")
	s, err := readSettings()
	if err != nil {
		t.Fatal(err)
	}
	s.startTimeout = time.Second
	err = serve(t.Context(), s, newLogger(io.Discard, s.LogFormat, s.LogLevel))
	if err == nil || !strings.Contains(err.Error(), "registry (zk) is not reachable") || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %v", err)
	}
}
