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
	"strconv"
	"strings"
)

// cores are the pure packages, whose mutants the simulation has to find.
//
//nolint:gochecknoglobals // a table
var cores = []string{
	"hub/internal/ingest/retention/", "hub/internal/lane/core/", "hub/internal/lane/record/", "hub/internal/lane/history/",
	"hub/internal/record/", "internal/queue/",
}

// noQueue is why the simulation does not find the mutants of package queue.
const noQueue = "the subscriber's scheduler is not simulated"

// ofCore reports whether a mutant is one of a pure core.
func (m mutant) ofCore() bool {
	for _, c := range cores {
		if strings.HasPrefix(m.file, c) {
			return true
		}
	}
	return false
}

// simulations runs the simulation with each mutant of a core until it breaks a guarantee, for
// at most a given time, and prints after how many seeds it did. Where scripts is not
// empty, the shrunk script of each mutant is written to that folder.
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
var brokenSeed = regexp.MustCompile(`(?m)^seed (\d+): (.*)$`)

// one runs the simulation with one mutant.
func (s simulations) one(ctx context.Context, program string, m mutant) (found bool, err error) {
	cmd := exec.CommandContext(ctx, program, "-seed", "1", "-for", s.time)
	cmd.Env = append(os.Environ(), activeVariable+"="+m.name)
	output, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if _, failed := errors.AsType[*exec.ExitError](err); err != nil && !failed {
		return false, err
	}
	broke := brokenSeed.FindSubmatchIndex(output)
	switch {
	case broke == nil && err != nil: // a mutant may have the simulation panic
		line, _, _ := strings.Cut(string(output[max(0, strings.Index(string(output), "panic:")):]), "\n")
		fmt.Fprintf(s.out, "%-34s %s\n", m.name, line)
		return true, nil
	case broke == nil:
		fmt.Fprintf(s.out, "%-34s not found in %s\n", m.name, s.time)
		return false, nil
	}
	seed, _ := strconv.Atoi(string(output[broke[2]:broke[3]])) // digits
	fmt.Fprintf(s.out, "%-34s seed %d: %s\n", m.name, seed, output[broke[4]:broke[5]])
	if s.scripts == "" {
		return true, nil
	}
	script := fmt.Sprintf("# Seed %d, with the mutant %s:\n%s", seed, m.name, strings.TrimSpace(string(output[broke[1]:]))+"\n")
	return true, os.WriteFile(filepath.Join(s.scripts, m.name+".txt"), []byte(script), 0o600)
}
