package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// testTime bounds one test run, several times what the slowest takes: a mutant
// that has its test wait in vain is red as well.
const testTime = "1m"

// check is a test that a mutant must turn red.
type check struct{ pkg, test string }

// simulation is the package whose scripts mutants turn red.
const simulation = "./hub/sim"

// checks are the tests that must go red.
func (m mutant) checks() []check {
	checks := []check{{m.pkg, "^(" + m.test + ")$"}}
	if m.hasScript(".") {
		if m.pkg == simulation {
			checks = nil
		}
		checks = append(checks, check{simulation, "^TestScripts$/^" + m.name + "$"})
	}
	return checks
}

// script is the mutant's script of the simulation, in a tree at root.
func (m mutant) script(root string) string {
	return filepath.Join(root, simulation, "testdata", m.name+".txt")
}

func (m mutant) hasScript(root string) bool {
	_, err := os.Stat(m.script(root))
	return err == nil
}

// builds are the programs that judge mutants.
type builds struct {
	dir   string // for files
	tests map[string]string
	// alone are the names of the mutants that the bundle does not hold.
	alone map[string]bool
}

// build builds the tests of mutants, each once for all of them.
func build(ctx context.Context, dir string, chosen []mutant, atOnce int) (*builds, error) {
	overlay, alone, err := bundle(dir, chosen)
	if err != nil {
		return nil, err
	}
	b := &builds{dir: dir, tests: make(map[string]string), alone: make(map[string]bool)}
	for _, m := range alone {
		b.alone[m.name] = true
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, m := range chosen {
		for _, c := range m.checks() {
			if b.alone[m.name] || b.tests[c.pkg] != "" {
				continue
			}
			program := filepath.Join(dir, fmt.Sprintf("%d.test", len(b.tests)))
			b.tests[c.pkg] = program
			group.Go(func() error { return buildTest(groupCtx, program, overlay, c.pkg) })
		}
	}
	return b, group.Wait()
}

// buildTest builds the test of a package. Vetting is the lint's business, and nobody
// reads the symbols: much of the time of a build goes into them.
func buildTest(ctx context.Context, program, overlay, pkg string) error {
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-overlay", overlay, "-o", program, pkg)
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("the mutants of %s do not build: %w\n%s", pkg, err, output)
	}
	return nil
}

// try runs what a mutant must turn red on the mutated code, and returns the first
// result that is not red.
func (b *builds) try(ctx context.Context, m mutant) (r result, err error) {
	for _, c := range m.checks() {
		if r, err = b.tryOne(ctx, m, c); err != nil || r.verdict != red {
			return r, err
		}
	}
	return r, nil
}

// tryOne runs a test on the mutated code. A test that has to be killed waits in
// vain, or is slow because of what else runs: then it would be slow without the
// mutation as well, which is tried.
func (b *builds) tryOne(ctx context.Context, m mutant, c check) (result, error) {
	run := b.bundled(m.name, c)
	control := b.bundled("", c)
	if b.alone[m.name] {
		overlay, err := m.overlay(b.dir)
		if err != nil {
			return result{}, err
		}
		run, control = goTest(c, "-overlay", overlay), goTest(c)
	}
	r, err := run(ctx)
	if err != nil || r.verdict != hung {
		return r, err
	}
	began := time.Now()
	without, err := control(ctx)
	if err != nil {
		return result{}, err
	}
	if without.verdict != green {
		return result{}, fmt.Errorf("%s, and without the mutation: %s", r.why, without.why)
	}
	r.verdict = red
	r.why += fmt.Sprintf("; green in %s without the mutation", time.Since(began).Round(100*time.Millisecond))
	return r, nil
}

// bundled runs a test of a bundle, with a mutant, or without one where name is empty.
func (b *builds) bundled(name string, c check) func(context.Context) (result, error) {
	return func(ctx context.Context) (result, error) {
		cmd := exec.CommandContext(ctx, b.tests[c.pkg], "-test.count=1", "-test.failfast", "-test.timeout", testTime, "-test.run", c.test)
		cmd.Dir = c.pkg
		cmd.Env = append(os.Environ(), activeVariable+"="+name)
		return resultOf(ctx, cmd)
	}
}

// goTest builds and runs a test.
func goTest(c check, more ...string) func(context.Context) (result, error) {
	return func(ctx context.Context) (result, error) {
		args := append([]string{"test", "-vet=off", "-ldflags=-s -w", "-count=1", "-failfast", "-timeout", testTime}, more...)
		return resultOf(ctx, exec.CommandContext(ctx, "go", append(args, "-run", c.test, c.pkg)...))
	}
}

func resultOf(ctx context.Context, cmd *exec.Cmd) (result, error) {
	output, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return result{}, ctx.Err()
	}
	if _, failed := errors.AsType[*exec.ExitError](err); err != nil && !failed {
		return result{}, err
	}
	return read(string(output), err != nil)
}

// overlay writes the mutated file and the description that lays it over the
// real one, and returns that description's path.
func (m mutant) overlay(dir string) (string, error) {
	source, err := m.mutate(".")
	if err != nil {
		return "", err
	}
	mutated := filepath.Join(dir, m.name+".go")
	if err := os.WriteFile(mutated, source, 0o600); err != nil {
		return "", err
	}
	file, err := filepath.Abs(m.file)
	if err != nil {
		return "", err
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {file: mutated}})
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, m.name+".json")
	return path, os.WriteFile(path, overlay, 0o600)
}

// mutate returns the file of a mutant, in a tree at root, without the mechanism.
func (m mutant) mutate(root string) ([]byte, error) {
	source, err := os.ReadFile(filepath.Join(root, m.file))
	if err != nil {
		return nil, err
	}
	if n := strings.Count(string(source), m.old); n != 1 {
		return nil, fmt.Errorf("%s holds the mechanism %d times, want once: the code moved on, bring the mutant up to it", m.file, n)
	}
	return []byte(strings.Replace(string(source), m.old, m.new, 1)), nil
}
