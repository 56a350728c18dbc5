package engine_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/capture/internal/engine"
	"github.com/replhub/replhub/internal/testenv/child"
)

// The variables that make this test binary a capture, to be killed.
const (
	victimEnv = "CAPTURE_TEST_DSN"
	urlEnv    = "CAPTURE_TEST_URL"
	slotEnv   = "CAPTURE_TEST_SLOT"
)

// victim is the main program of such a process.
func victim() int {
	err := capture(context.Background())
	fmt.Fprintln(os.Stderr, "capture ended:", err)
	return 1
}

func capture(ctx context.Context) error {
	nc, err := nats.Connect(os.Getenv(urlEnv), nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond), nats.RetryOnFailedConnect(true))
	if err != nil {
		return err
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	config, err := pgx.ParseConfig(os.Getenv(victimEnv))
	if err != nil {
		return err
	}
	return engine.New(engine.Config{
		Database: config, JS: js, Slot: os.Getenv(slotEnv), Publication: "captured", Tables: plainTables{}, Service: "owner",
		RetryMin: 10 * time.Millisecond, RetryMax: 100 * time.Millisecond, StandbyEvery: 20 * time.Millisecond,
		SenderTimeout: time.Second, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}).Run(ctx)
}

// victims are captures of one slot in processes of their own.
type victims struct {
	t   *testing.T
	env []string
	all []*child.Process
}

func newVictims(t *testing.T, n int, dsn, url, slot string) *victims {
	t.Helper()
	v := &victims{t: t, env: append(os.Environ(), victimEnv+"="+dsn, urlEnv+"="+url, slotEnv+"="+slot)}
	for i := range n {
		v.all = append(v.all, v.start(i))
	}
	t.Cleanup(func() {
		for _, p := range v.all {
			if err := p.Kill(); err != nil {
				t.Error(err)
			}
			if t.Failed() {
				t.Log(p.Tail(4 << 10))
			}
		}
	})
	return v
}

func (v *victims) start(i int) *child.Process {
	v.t.Helper()
	self, err := os.Executable()
	if err != nil {
		v.t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = v.env
	log := filepath.Join(v.t.ArtifactDir(), fmt.Sprintf("capture-%d.log", i))
	p, err := child.Start(cmd, log)
	if err != nil {
		v.t.Fatal(err)
	}
	return p
}

// kill kills one, and starts another one in its place.
func (v *victims) kill(i int) {
	v.t.Helper()
	if err := v.all[i].Kill(); err != nil {
		v.t.Fatal(err)
	}
	v.all[i] = v.start(i)
}
