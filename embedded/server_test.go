package embedded_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/replhub/replhub/embedded"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

func start(t *testing.T, cfg embedded.Config) *embedded.Server {
	t.Helper()
	if cfg.Port == 0 {
		cfg.Port = embedded.FreePort
	}
	s, err := embedded.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func connect(t *testing.T, dial func() (*nats.Conn, error)) jetstream.JetStream {
	t.Helper()
	nc, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

func inProcess(s *embedded.Server) func() (*nats.Conn, error) {
	return func() (*nats.Conn, error) { return s.Connect(nats.Name("test")) }
}

func overTCP(s *embedded.Server) func() (*nats.Conn, error) {
	return func() (*nats.Conn, error) { return nats.Connect(s.ClientURL()) }
}

func createStream(t *testing.T, js jetstream.JetStream) {
	t.Helper()
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s.>"}}); err != nil {
		t.Fatal(err)
	}
}

func TestServesJetStreamInProcessAndOverTCP(t *testing.T) {
	s := start(t, embedded.Config{})
	if !strings.HasPrefix(s.ClientURL(), "nats://127.0.0.1:") {
		t.Errorf("ClientURL() = %q, want loopback", s.ClientURL())
	}
	inside, outside := connect(t, inProcess(s)), connect(t, overTCP(s))
	createStream(t, inside)
	ack, err := outside.Publish(t.Context(), "s.a", []byte("x"))
	if err != nil || ack.Stream != "S" {
		t.Fatalf("publish over TCP: ack %+v, error %v", ack, err)
	}
}

func TestChosenFolderKeepsItsStreams(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "store")
	first, err := embedded.Start(t.Context(), embedded.Config{Port: embedded.FreePort, StoreDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	js := connect(t, inProcess(first))
	createStream(t, js)
	if _, err := js.Publish(t.Context(), "s.a", []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}

	again := connect(t, inProcess(start(t, embedded.Config{StoreDir: dir})))
	stream, err := again.Stream(t.Context(), "S")
	if err != nil {
		t.Fatal(err)
	}
	if n := stream.CachedInfo().State.Msgs; n != 1 {
		t.Errorf("%d messages after a restart, want 1", n)
	}
}

func TestCloseRemovesTheTemporaryFolderAndMayBeRepeated(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	s := start(t, embedded.Config{})
	if filepath.Dir(s.StoreDir()) != os.Getenv("TMPDIR") {
		t.Errorf("store folder %s is not in the temporary directory", s.StoreDir())
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, error %v", left, err)
	}
}

func TestMaxPayload(t *testing.T) {
	s := start(t, embedded.Config{MaxPayload: 2048})
	nc, err := s.Connect()
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if got := nc.MaxPayload(); got != 2048 {
		t.Errorf("max payload %d, want 2048", got)
	}
	if err := nc.Publish("x", make([]byte, 2049)); !errors.Is(err, nats.ErrMaxPayload) {
		t.Errorf("publish of 2049 bytes: %v, want %v", err, nats.ErrMaxPayload)
	}
}

func TestLogLevels(t *testing.T) {
	var out bytes.Buffer
	debug := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s := start(t, embedded.Config{Logger: debug})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "level=DEBUG") || strings.Contains(out.String(), "level=INFO") {
		t.Errorf("want the server's notices at debug and none at info, got:\n%s", out.String())
	}
}

func TestStartSaysWhatIsWrong(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	takenPort := taken.Addr().(*net.TCPAddr).Port
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	running := start(t, embedded.Config{StoreDir: t.TempDir()})

	for name, tt := range map[string]struct {
		cfg  embedded.Config
		is   error
		says []string
	}{
		"port taken": {
			cfg: embedded.Config{Port: takenPort}, is: embedded.ErrPortTaken,
			says: []string{taken.Addr().String(), "choose another port"},
		},
		"folder in use": {
			cfg: embedded.Config{Port: embedded.FreePort, StoreDir: running.StoreDir()}, is: embedded.ErrStoreInUse,
			says: []string{running.StoreDir(), "choose another folder"},
		},
		"folder is a file": {
			cfg:  embedded.Config{Port: embedded.FreePort, StoreDir: file},
			says: []string{file, "choose one that can be written"},
		},
		"port out of range":         {cfg: embedded.Config{Port: 70000}, says: []string{"config: Port 70000"}},
		"negative sync interval":    {cfg: embedded.Config{SyncInterval: -time.Second}, says: []string{"config: SyncInterval -1s"}},
		"negative largest message":  {cfg: embedded.Config{MaxPayload: -1}, says: []string{"config: MaxPayload -1"}},
		"an address that is not us": {cfg: embedded.Config{Host: "192.0.2.1", Port: embedded.FreePort}, says: []string{"192.0.2.1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("TMPDIR", t.TempDir())
			s, err := embedded.Start(t.Context(), tt.cfg)
			if err == nil {
				t.Fatal(errors.Join(errors.New("started"), s.Close()))
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("error %v is not %v", err, tt.is)
			}
			for _, says := range tt.says {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("error %q does not say %q", err, says)
				}
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("error is not one line: %q", err)
			}
			if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, error %v", left, err)
			}
		})
	}
}

func TestStartEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := embedded.Start(ctx, embedded.Config{Port: embedded.FreePort}); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want %v", err, context.Canceled)
	}
}
