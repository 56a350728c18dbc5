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
)

// testTime bounds one test run, several times what the slowest takes: a mutant
// that has its test wait in vain is red as well.
const testTime = "20s"

// try runs the test on the mutated code.
func (m mutant) try(ctx context.Context, dir string) (result, error) {
	overlay, err := m.overlay(dir)
	if err != nil {
		return result{}, err
	}
	// Vetting is the lint's business, and nobody reads the symbols: half of the
	// time of a build goes into them.
	cmd := exec.CommandContext(ctx, "go", "test", "-overlay", overlay, "-vet=off", "-ldflags=-s -w",
		"-count=1", "-failfast", "-timeout", testTime, "-run", "^("+m.test+")$", m.pkg)
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
