package upgrade_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// binaries are the hubs of the version before and of this one.
var binaries struct{ before, now string } // TestMain has no other way to hand them to the test

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "replhub-upgrade-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	began, revision := time.Now(), previous(context.Background())
	if binaries.before, err = buildPrevious(context.Background(), revision, dir); err == nil {
		binaries.now, err = build(context.Background(), "../..", filepath.Join(dir, "replhub-now"))
	}
	if errors.Is(err, errShallow) {
		fmt.Printf("not run: %v; the version before is %s: run git fetch --tags --unshallow\n", err, revision)
		return 0
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Printf("the version before is %s; both are built after %s\n", revision, time.Since(began).Round(time.Millisecond))
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// An upgrade and a downgrade under load, with hubs of both versions writing into
// the same lanes in between: every lane has each due event once, in order. The
// commands of each version understand the hubs of the other.
func TestUpgradeAndDowngrade(t *testing.T) {
	before, now := binaries.before, binaries.now
	w := newWorld(t)
	everything := func(int) bool { return true }
	acme := func(n int) bool { return tenant(n) == "acme" }

	// The version before, alone.
	old := w.hub(before, "old")
	w.register("plain", `{"entities":["user"]}`)
	w.register("filtered", `{"interests":[{"entity":"user","filter":"data.tenant == 'acme'","fields":["id","n"]}]}`)
	w.register("keyed", `{"entities":["user"],"queue":{"order":"key","partitions":3}}`)
	w.publish(100)

	// Both, each believing that every lane is its own.
	upgraded := w.hub(now, "upgraded")
	w.register("late", `{"interests":[{"entity":"user","start":"all"}]}`)
	w.register("plain", `{"entities":["user","tenant"]}`)
	w.publish(200)
	for _, binary := range []string{before, now} {
		w.command(binary, "ls")
		w.command(binary, "describe", "keyed")
		w.command(binary, "explain", "filtered", "3")
		w.command(binary, "status")
	}

	// This version, alone: the other one is killed under load.
	if err := old.Kill(); err != nil {
		t.Fatal(err)
	}
	w.register("later", `{"interests":[{"entity":"user","start":"all","ops":["update"]}]}`)
	w.publish(100)
	w.command(before, "ls")

	// Back again.
	old = w.hub(before, "downgraded")
	w.publish(100)
	if err := upgraded.Terminate(within); err != nil {
		t.Fatal(err)
	}
	w.register("last", `{"interests":[{"entity":"user","start":"all","filter":"data.tenant == 'acme'"}]}`)
	w.publish(100)
	w.command(now, "ls")

	for service, due := range map[string]func(int) bool{
		"plain": everything, "keyed": everything, "late": everything, "later": everything, "filtered": acme, "last": acme,
	} {
		w.holds(service, due)
	}
	if err := old.Terminate(within); err != nil {
		t.Fatal(err)
	}
}
