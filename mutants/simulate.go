package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// cores are the pure packages, whose mutants the simulation has to find.
var cores = []string{
	"hub/internal/ingest/retention/", "hub/internal/lane/core/", "hub/internal/lane/record/", "hub/internal/lane/history/", "hub/internal/lane/rewind/",
	"hub/internal/record/", "hub/internal/reconcile/agree/", "hub/internal/deadletter/redrive/", "internal/queue/",
}

// Why the simulation does not find the mutants of a core.
const (
	noQueue    = "not searched for since the scheduler is simulated"
	noLetters  = "the dead letters of the hub are not simulated"
	noRows     = "snapshots and backfills are not simulated"
	noRegistry = "records of services, and of a newer or a wrong form, are not simulated"
	// rare are those for which several faults have to meet within seconds, or another
	// mechanism has to fail as well.
	rare = "not found in a minute, 5,000 to 27,000 seeds: its own test shows the schedule"
)

// ofCore reports whether a mutant is one of a pure core.
func (m mutant) ofCore() bool {
	for _, c := range cores {
		if strings.HasPrefix(m.file, c) {
			return true
		}
	}
	return false
}

// simulations runs the simulation with each mutant of a core until it breaks a guarantee:
// the mutant's script and variations of it, and then seed after seed for at most a given
// time. Where scripts is not empty, the script of each mutant is written to that folder,
// as short as it gets.
type simulations struct {
	dir     string
	out     io.Writer
	time    string
	scripts string
}

func (s simulations) run(ctx context.Context, chosen []mutant) error {
	overlay, _, err := bundle(s.dir, chosen)
	if err != nil {
		return err
	}
	program := filepath.Join(s.dir, "sim")
	cmd := exec.CommandContext(ctx, "go", "build", "-overlay", overlay, "-o", program, simulation+"/run")
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("the simulation does not build: %w\n%s", err, output)
	}
	var missed []string
	for _, m := range chosen {
		if !m.ofCore() || m.noSim != "" {
			continue
		}
		found, err := s.one(ctx, program, m)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		if !found {
			missed = append(missed, m.name)
		}
	}
	if len(missed) > 0 {
		return fmt.Errorf("the simulation does not find %s", strings.Join(missed, ", "))
	}
	return nil
}

// brokenSeed is the line of package hub/sim/run that tells of a broken guarantee.
var brokenSeed = regexp.MustCompile(`(?m)^seed \d+: .*$`)

// one runs the simulation with one mutant.
func (s simulations) one(ctx context.Context, program string, m mutant) (found bool, err error) {
	for _, with := range [][]string{{"-near", m.script("."), "-seed", "0", "-for", "10s"}, {"-seed", "1", "-for", s.time}} {
		if with[0] == "-near" && !m.hasScript(".") {
			continue
		}
		broke, script, err := s.try(ctx, program, m, with)
		if err != nil {
			return false, err
		}
		if broke == "" {
			continue
		}
		fmt.Fprintf(s.out, "%-34s %s: %s\n", m.name, strings.Trim(with[0], "-"), broke)
		if s.scripts == "" || script == "" {
			return true, nil
		}
		script = fmt.Sprintf("# Red with the mutant of this name (%s).\n%s", m.guarantee, script)
		return true, os.WriteFile(filepath.Join(s.scripts, m.name+".txt"), []byte(script), 0o600)
	}
	fmt.Fprintf(s.out, "%-34s not found in %s\n", m.name, s.time)
	return false, nil
}

// try runs the simulation once. broke is what it found, empty for nothing, and script a
// short script of that.
func (s simulations) try(ctx context.Context, program string, m mutant, with []string) (broke, script string, err error) {
	cmd := exec.CommandContext(ctx, program, with...)
	cmd.Env = append(os.Environ(), activeVariable+"="+m.name)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	output, err := cmd.Output()
	if ctx.Err() != nil {
		return "", "", ctx.Err()
	}
	if _, failed := errors.AsType[*exec.ExitError](err); err != nil && !failed {
		return "", "", err
	}
	at := brokenSeed.FindIndex(output)
	switch {
	case at != nil:
		return string(output[at[0]:at[1]]), strings.TrimSpace(string(output[at[1]:])) + "\n", nil
	case err != nil: // a mutant may have the simulation panic
		broke, _, _ = strings.Cut(stderr.String(), "\n")
	}
	return broke, "", nil
}
