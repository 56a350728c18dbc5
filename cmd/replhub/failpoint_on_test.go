//go:build failpoints

package main

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/replhub/replhub/hub"
)

// envVictim makes the test binary the process that a failpoint kills.
const envVictim = "REPLHUB_TEST_VICTIM"

func TestVictim(t *testing.T) {
	spec := os.Getenv(envVictim)
	if spec == "" {
		return // only TestFailpointKills runs it
	}
	at, err := killAt(spec)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []string{"append", "fill done", "append", "fill done"} {
		at(step)
	}
}

func TestFailpointKills(t *testing.T) {
	for spec, killed := range map[string]bool{
		"append": true, "append:2": true, "fill done:2": true, "append:3": false, "trim": false,
	} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestVictim$")
		cmd.Env = append(os.Environ(), envVictim+"="+spec)
		err := cmd.Run()
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok && err != nil {
			t.Fatal(err)
		}
		got := ok && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
		if got != killed {
			t.Errorf("%s: killed %v, want %v (%v)", spec, got, killed, err)
		}
	}
}

func TestFailpointVariables(t *testing.T) {
	clearEnvironment(t)
	t.Setenv(envTrimGuard, "1s")
	t.Setenv(envTrimEvery, "100ms")
	t.Setenv(envOwnAll, "true")
	t.Setenv(envWindowBytes, "4096")
	if _, err := readSettings(); err != nil {
		t.Fatal(err)
	}
	var cfg hub.Config
	if err := failpoints(&cfg); err != nil {
		t.Fatal(err)
	}
	if cfg.TrimGuard != time.Second || cfg.TrimEvery != 100*time.Millisecond || !cfg.OwnAll || cfg.WindowBytes != 4096 {
		t.Errorf("%+v", cfg)
	}
	for _, wrong := range []string{"append:", "append:0", "append:x"} {
		t.Setenv(envFailpoint, wrong)
		if err := failpoints(&cfg); err == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
}
