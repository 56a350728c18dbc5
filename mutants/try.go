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
)

// testTime bounds one test run, several times what the slowest takes: a mutant
// that has its test wait in vain is red as well.
const testTime = "30s"

// try runs the test on the mutated code. A test that has to be killed waits in
// vain, or is slow because of what else runs: then it would be slow without the
// mutation as well, which is tried.
func (m mutant) try(ctx context.Context, dir string) (result, error) {
	overlay, err := m.overlay(dir)
	if err != nil {
		return result{}, err
	}
	r, err := m.runTest(ctx, "-overlay", overlay)
	if err != nil || r.verdict != hung {
		return r, err
	}
	began := time.Now()
	control, err := m.runTest(ctx)
	if err != nil {
		return result{}, err
	}
	if control.verdict != green {
		return result{}, fmt.Errorf("%s, and without the mutation: %s", r.why, control.why)
	}
	r.verdict = red
	r.why += fmt.Sprintf("; green in %s without the mutation", time.Since(began).Round(100*time.Millisecond))
	return r, nil
}

// runTest runs the test once. Vetting is the lint's business, and nobody reads the
// symbols: much of the time of a build goes into them.
func (m mutant) runTest(ctx context.Context, more ...string) (result, error) {
	args := append([]string{"test", "-vet=off", "-ldflags=-s -w", "-count=1", "-failfast", "-timeout", testTime}, more...)
	cmd := exec.CommandContext(ctx, "go", append(args, "-run", "^("+m.test+")$", m.pkg)...)
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
