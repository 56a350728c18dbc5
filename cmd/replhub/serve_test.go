package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/e2e/cluster"
	"github.com/replhub/replhub/wire"
)

// clearEnvironment keeps whatever the caller's environment says to a hub, or
// to the nats CLI, out of a test.
func clearEnvironment(t *testing.T) {
	t.Helper()
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, wire.EnvironmentPrefix) {
			t.Setenv(name, "") // restored at the end
			if err := os.Unsetenv(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Setenv(wire.EnvHTTPAddr, "127.0.0.1:0")
}

// startServer runs a nats-server of the given kind for one test.
func startServer(t *testing.T, options *server.Options) *server.Server {
	t.Helper()
	options.Host, options.Port, options.NoSigs, options.NoLog = "127.0.0.1", server.RANDOM_PORT, true, true
	options.StoreDir = t.TempDir()
	s, err := server.NewServer(options)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("nats-server did not start")
	}
	return s
}

// startOldServer answers like a nats-server of version 2.10, as far as a
// connection goes: no such server can be built from this module. The scenarios
// in e2e run the real one.
func startOldServer(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(func() {
		_ = listener.Close()
		wg.Wait()
	})
	wg.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { speakOld(conn) })
		}
	})
	return "nats://" + listener.Addr().String()
}

func speakOld(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	fmt.Fprintf(conn, "INFO {\"server_id\":\"OLD\",\"version\":\"2.10.29\",\"proto\":1,\"headers\":true,\"max_payload\":1048576}\r\n")
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "PING") {
			fmt.Fprintf(conn, "PONG\r\n")
		}
	}
}

func writeFile(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
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
				return map[string]string{wire.EnvHTTPAddr: l.Addr().String()}
			}, []string{"the port is taken", wire.EnvHTTPAddr},
		},
		"HTTP address that is none": {
			func(*testing.T) map[string]string { return map[string]string{wire.EnvHTTPAddr: "here"} },
			[]string{wire.EnvHTTPAddr},
		},
		"NATS unreachable": {
			func(*testing.T) map[string]string {
				return map[string]string{wire.EnvNATSURL: "nats://ada:" + secret + "@127.0.0.1:1"}
			}, []string{"nobody answers there", "nats://127.0.0.1:1", wire.EnvNATSURL},
		},
		"NATS URL that is none": {
			func(*testing.T) map[string]string {
				return map[string]string{wire.EnvNATSURL: "nats://ada:" + secret + "@[::1"}
			}, []string{wire.EnvNATSURL},
		},
		"no credentials": {
			func(t *testing.T) map[string]string {
				s := startServer(t, &server.Options{Username: "hub", Password: "right", JetStream: true})
				return map[string]string{wire.EnvNATSURL: s.ClientURL()}
			}, []string{"credentials are refused", wire.EnvNATSCreds},
		},
		"wrong password": {
			func(t *testing.T) map[string]string {
				s := startServer(t, &server.Options{Username: "hub", Password: "right", JetStream: true})
				return map[string]string{
					wire.EnvNATSURL: s.ClientURL(), wire.EnvNATSUser: "hub",
					wire.EnvNATSPasswordFile: writeFile(t, "password", secret+"\n"),
				}
			}, []string{"credentials are refused", wire.EnvNATSPasswordFile},
		},
		"no password file": {
			func(*testing.T) map[string]string {
				return map[string]string{wire.EnvNATSUser: "hub", wire.EnvNATSPasswordFile: "/nowhere/password"}
			}, []string{wire.EnvNATSPasswordFile, "/nowhere/password"},
		},
		"no credentials file": {
			func(*testing.T) map[string]string { return map[string]string{wire.EnvNATSCreds: "/nowhere/hub.creds"} },
			[]string{wire.EnvNATSCreds, "/nowhere/hub.creds"},
		},
		"nkey file without a seed": {
			func(t *testing.T) map[string]string {
				return map[string]string{wire.EnvNATSNkey: writeFile(t, "seed", secret)}
			}, []string{wire.EnvNATSNkey, "holds no nkey seed"},
		},
		"authorities that are none": {
			func(t *testing.T) map[string]string {
				return map[string]string{wire.EnvNATSTLSCA: writeFile(t, "ca.pem", secret)}
			}, []string{wire.EnvNATSTLSCA, "no certificate"},
		},
		"no JetStream": {
			func(t *testing.T) map[string]string {
				return map[string]string{wire.EnvNATSURL: startServer(t, &server.Options{}).ClientURL()}
			}, []string{"runs without JetStream", "nats-server -js"},
		},
		"server too old": {
			func(t *testing.T) map[string]string { return map[string]string{wire.EnvNATSURL: startOldServer(t)} },
			[]string{"2.10.29 is too old", "2.12 or later", "upgrade"},
		},
		"foreign ingest": {
			func(t *testing.T) map[string]string {
				b := newBench(t)
				b.createStream(t, "DB", "db.>")
				return map[string]string{wire.EnvNATSURL: b.server.URL()}
			}, []string{`stream "DB" exists but was not made by replhub`, "rename or delete it"},
		},
		"foreign lane": {
			func(t *testing.T) map[string]string {
				b := newBench(t)
				b.createStream(t, "SUB_sharing", "sub.sharing.>")
				// The registry starts along with the hub, and a server that is
				// shut down while it makes a stream leaks a goroutine.
				bucket := jetstream.KeyValueConfig{Bucket: wire.BucketRegistry}
				if _, err := b.jetStream(t).CreateKeyValue(t.Context(), bucket); err != nil {
					t.Fatal(err)
				}
				return map[string]string{wire.EnvNATSURL: b.server.URL()}
			}, []string{`stream "SUB_sharing" exists but was not made by replhub`},
		},
		"no room": {
			func(t *testing.T) map[string]string {
				s := startServer(t, &server.Options{JetStream: true, JetStreamMaxStore: 32 << 20})
				return map[string]string{wire.EnvNATSURL: s.ClientURL()}
			}, []string{"insufficient storage", wire.EnvIngestMaxBytes},
		},
		"misspelt variable": {
			func(*testing.T) map[string]string { return map[string]string{"REPLHUB_ZK_SERVER": "zk:2181"} },
			[]string{"REPLHUB_ZK_SERVER is no variable", "did you mean REPLHUB_ZK_SERVERS?"},
		},
		"zk without servers": {
			func(*testing.T) map[string]string { return map[string]string{wire.EnvRegistry: "zk"} },
			[]string{wire.EnvZKServers},
		},
	} {
		t.Run(name, func(t *testing.T) {
			clearEnvironment(t)
			for variable, value := range tt.env(t) {
				t.Setenv(variable, value)
			}
			t.Setenv(wire.EnvLogLevel, "error")
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
	t.Setenv(wire.EnvNATSURL, b.server.URL())
	t.Setenv(wire.EnvZKServers, "127.0.0.1:1")
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

// running is a command under way.
type running struct {
	stdout, stderr *screen
	stop           context.CancelFunc
	code           chan int
}

// start runs the command until the test ends or it is stopped.
func start(t *testing.T, args ...string) *running {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	r := &running{stdout: newScreen(), stderr: newScreen(), stop: stop, code: make(chan int, 1)}
	go func() { r.code <- run(ctx, args, strings.NewReader(""), r.stdout, r.stderr) }()
	t.Cleanup(func() {
		stop()
		r.code <- <-r.code
	})
	return r
}

// ended waits for the end and returns the exit code.
func (r *running) ended(t *testing.T) int {
	t.Helper()
	select {
	case code := <-r.code:
		r.code <- code // for the cleanup
		return code
	case <-time.After(20 * time.Second):
		t.Fatalf("does not end:\n%s%s", r.stdout, r.stderr)
		return 0
	}
}

// screen is an output that can be watched.
type screen struct {
	mu      sync.Mutex // guards the rest
	text    strings.Builder
	changed chan struct{}
}

func newScreen() *screen { return &screen{changed: make(chan struct{})} }

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.changed)
	s.changed = make(chan struct{})
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// await waits until the text is there.
func (s *screen) await(t *testing.T, text string) string {
	t.Helper()
	patience := time.After(20 * time.Second)
	for {
		s.mu.Lock()
		all, changed := s.text.String(), s.changed
		s.mu.Unlock()
		if strings.Contains(all, text) {
			return all
		}
		select {
		case <-changed:
		case <-patience:
			t.Fatalf("waited in vain for %q in:\n%s", text, all)
		}
	}
}

// field is a value of the log's text form.
func field(t *testing.T, log, key string) string {
	t.Helper()
	_, rest, found := strings.Cut(log, " "+key+"=")
	if !found {
		t.Fatalf("no %s in the log:\n%s", key, log)
	}
	return strings.Fields(rest)[0]
}

func TestServesUntilToldToStop(t *testing.T) {
	clearEnvironment(t)
	const password, shown = "hush-hush", "shown"
	s := startServer(t, &server.Options{Username: "hub", Password: password, JetStream: true})
	t.Setenv(wire.EnvNATSURL, s.ClientURL())
	t.Setenv(wire.EnvNATSUser, "hub")
	t.Setenv(wire.EnvNATSPasswordFile, writeFile(t, "password", password+"\n"))
	t.Setenv(wire.EnvLogLevel, "debug")
	t.Setenv(wire.EnvHubID, shown)
	t.Setenv(wire.EnvIngestMaxBytes, "64MiB")
	t.Setenv(wire.EnvDLQMaxBytes, "16777216")
	r := start(t, "serve")
	addr := field(t, r.stdout.await(t, "msg=ready"), "http")
	for path, want := range map[string]string{"/healthz": "ok", "/readyz": `"ready":true`, "/metrics": wire.MetricReady + " 1"} {
		body := get(t, "http://"+addr+path)
		if !strings.Contains(body, want) {
			t.Errorf("%s: no %q in\n%s", path, want, body)
		}
	}
	nc, err := nats.Connect(s.ClientURL(), nats.UserInfo("hub", password))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	status, err := demoRequest[wire.Status](t.Context(), nc, "replhub.status", "{}")
	if err != nil || status.Hub != shown || status.Ingest.MaxBytes != 64<<20 {
		t.Errorf("status %+v, %v", status, err)
	}
	r.stop()
	if code := r.ended(t); code != exitDone || r.stderr.String() != "" {
		t.Errorf("exit %d: %s", code, r.stderr)
	}
	if all := r.stdout.String() + r.stderr.String(); strings.Contains(all, password) {
		t.Errorf("the password shows:\n%s", all)
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	// No idle connection may outlast the test.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestADrainIsBounded(t *testing.T) {
	clearEnvironment(t)
	t.Setenv(wire.EnvNATSURL, newBench(t).server.URL())
	t.Setenv(wire.EnvDrainTimeout, "1ns")
	r := start(t, "serve")
	addr := field(t, r.stdout.await(t, "msg=ready"), "http")
	// Who has connected and not yet asked, the stop waits for a while.
	silent, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	get(t, "http://"+addr+"/healthz") // those before it have been accepted
	r.stop()
	if code := r.ended(t); code != exitFailed || !strings.Contains(r.stderr.String(), "did not stop in time") {
		t.Errorf("exit %d: %s", code, r.stderr)
	}
}

// A password that the server changes first, and then one that the file has
// first, keep the hub waiting and end nothing.
func TestHubOutlivesRotatedCredentials(t *testing.T) {
	clearEnvironment(t)
	s := cluster.StartNATS(t, cluster.NATSUser("hub", "before", ""))
	t.Setenv(wire.EnvNATSURL, s.URL())
	t.Setenv(wire.EnvNATSUser, "hub")
	file := writeFile(t, "password", "before")
	t.Setenv(wire.EnvNATSPasswordFile, file)
	r := start(t, "serve")
	ready := r.stdout.await(t, "msg=ready")
	reload := func(password string) { s.SetUsers(cluster.NATSUser("hub", password, "")) }
	write := func(password string) {
		if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	reload("second")
	r.stdout.await(t, "the server has other credentials")
	write("second")
	r.stdout.await(t, "nats connection is back")
	write("third")
	reload("third")
	r.stdout.await(t, "nats connection is back")
	get(t, "http://"+field(t, ready, "http")+"/readyz")
	r.stop()
	if code := r.ended(t); code != exitDone {
		t.Errorf("exit %d: %s", code, r.stderr)
	}
}

func TestServeTakesNoConnectionFlags(t *testing.T) {
	for _, verb := range []string{"serve", "dev"} {
		o := execute(t.Context(), "", verb, "--server", "nats://127.0.0.1:1")
		if o.code != exitUsage || !strings.Contains(o.stderr, "--server is not for replhub "+verb) {
			t.Errorf("%s: exit %d: %s", verb, o.code, o.stderr)
		}
	}
}
