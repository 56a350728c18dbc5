package e2e_test

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/replhub/replhub/e2e/harness"
	"github.com/replhub/replhub/internal/testenv/child"
	"github.com/replhub/replhub/internal/testenv/cluster"
)

// inject has system calls of a process fail or take long, by strace, until end is called.
func inject(t *testing.T, pid int, calls, what string) (end func()) {
	t.Helper()
	path, err := exec.LookPath("strace")
	if err != nil {
		t.Fatalf("strace is needed (./scripts/deps installs it): %v", err)
	}
	log := filepath.Join(t.TempDir(), "strace.log")
	p, err := child.Start(exec.Command(path, "-f", "-e", "trace="+calls, "-e", "inject="+calls+":"+what, "-e", "signal=none", "-p", fmt.Sprint(pid)), log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), settleWithin)
	defer cancel()
	attached := func(context.Context) error {
		if p.Tail(1<<20) == "" {
			return fmt.Errorf("nothing is traced yet")
		}
		return nil
	}
	if err := p.Await(ctx, "strace to trace the server", attached); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		if err := p.Stop(syscall.SIGINT, settleWithin); err != nil {
			t.Error(err)
		}
		injected := 0
		for line := range strings.SplitSeq(p.Tail(64<<20), "\n") {
			if strings.Contains(line, "(INJECTED)") || strings.Contains(line, "(DELAYED)") {
				injected++
			}
		}
		t.Logf("%s: %s, %d calls", calls, what, injected)
		if injected == 0 {
			t.Errorf("no call of %s was met:\n%s", calls, p.Tail(2000))
		}
	}
}

// TestFailingDisk has the server's syncs and writes fail, and take long, under load. The
// server is restarted afterwards, as the hub advises: nothing that was acknowledged is lost.
// At length each fault meets each sync setting.
func TestFailingDisk(t *testing.T) {
	const syncs = "fsync,fdatasync"
	for _, c := range []struct {
		name, calls, what string
		gate              string // the setting that the gate has the fault meet
	}{
		{"syncs fail", syncs, "error=EIO", "always"},
		{"syncs are slow", syncs, "delay_enter=50000", ""},
		{"some writes fail", "pwrite64", "error=EIO:when=3+7", "100ms"},
		{"no room", "pwrite64", "error=ENOSPC:when=5+2", ""},
	} {
		for _, sync := range []string{"always", "100ms"} {
			if sync != c.gate && !lengthy {
				continue
			}
			t.Run(c.name+", sync_interval "+sync, func(t *testing.T) {
				w := harness.New(t, harness.Options{Binary: binary, Seed: 35, NATS: []cluster.NATSOption{cluster.NATSSyncInterval(sync)}})
				w.StartHub("h1")
				w.Register("plain", want("user"), want("tenant"))
				w.Register("filtered", acmeOnly("user"))
				writers := w.Write(harness.Load{Every: time.Millisecond}, 0)
				w.AwaitAcked(100, settleWithin)
				end := inject(t, w.NATS.PID(), c.calls, c.what)
				w.Let(cutTime())
				end()
				w.NATS.Kill()
				w.NATS.Start()
				w.AwaitAcked(100, settleWithin)
				writers.Stop()
				w.Finish("failing disk: "+c.name+", sync_interval "+sync, 1, settleWithin)
			})
		}
	}
}
