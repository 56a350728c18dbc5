// Command mutants takes each mechanism behind a guarantee out of the code in
// turn, runs the test that is said to hold it, and fails unless that test goes
// red. It changes nothing in the tree: the mutated file is laid over the real
// one for that one build (go test -overlay).
//
//	go run ./mutants            all of them
//	go run ./mutants -run trim  those whose name contains "trim"
//	go run ./mutants -list      what there is
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

// mutant is one mechanism taken out.
type mutant struct {
	name string
	// guarantee is what the mechanism is for, in the words of ARCHITECTURE.md.
	guarantee string
	file      string
	// old, which occurs once in the file, becomes new.
	old, new string
	// pkg and test are what must go red.
	pkg, test string
}

// testTime bounds one test run, several times what the slowest takes: a mutant
// that has its test wait in vain is red as well.
const testTime = "20s"

// tries is how often a test may stay green before its mutant has survived: some
// mechanisms guard a race, which a run meets most of the time, not always.
const tries = 5

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("mutants", flag.ContinueOnError)
	only := flags.String("run", "", "only mutants whose name contains this")
	list := flags.Bool("list", false, "print the mutants and do nothing")
	if err := flags.Parse(args); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "replhub-mutants-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var survived []string
	tried := 0
	for _, m := range all() {
		if !strings.Contains(m.name, *only) {
			continue
		}
		tried++
		if *list {
			fmt.Fprintf(out, "%-28s %-40s %s %s\n", m.name, m.guarantee, m.pkg, m.test)
			continue
		}
		began := time.Now()
		red, err := m.try(ctx, dir)
		for again := 1; again < tries && err == nil && !red; again++ {
			red, err = m.try(ctx, dir)
		}
		verdict := "red"
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			verdict = "BROKEN"
			survived = append(survived, m.name)
			fmt.Fprintf(out, "%s: %v\n", m.name, err)
		case !red:
			verdict = "SURVIVED"
			survived = append(survived, m.name)
		}
		fmt.Fprintf(out, "%-9s %-28s %s (%s)\n", verdict, m.name, m.test, time.Since(began).Round(100*time.Millisecond))
	}
	if tried == 0 {
		return fmt.Errorf("no mutant's name contains %q", *only)
	}
	if len(survived) > 0 {
		return fmt.Errorf("%d of %d survived: their tests do not hold what they say: %s", len(survived), tried, strings.Join(survived, ", "))
	}
	return nil
}

func all() []mutant {
	return slices.Concat(mutants, lostMutants, sdkMutants, semanticsMutants, brokenMutants, watchingMutants, boundsMutants)
}

// try reports whether the test goes red on the mutated code.
func (m mutant) try(ctx context.Context, dir string) (red bool, err error) {
	source, err := m.mutate(".")
	if err != nil {
		return false, err
	}
	mutated := filepath.Join(dir, m.name+".go")
	if err := os.WriteFile(mutated, source, 0o600); err != nil {
		return false, err
	}
	file, err := filepath.Abs(m.file)
	if err != nil {
		return false, err
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {file: mutated}})
	if err != nil {
		return false, err
	}
	overlayFile := filepath.Join(dir, m.name+".json")
	if err := os.WriteFile(overlayFile, overlay, 0o600); err != nil {
		return false, err
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-overlay", overlayFile, "-count=1", "-timeout", testTime, "-run", "^("+m.test+")$", m.pkg)
	output, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if _, failed := errors.AsType[*exec.ExitError](err); err != nil && !failed {
		return false, err
	}
	text := string(output)
	switch {
	case strings.Contains(text, "[build failed]") || strings.Contains(text, "[setup failed]"):
		return false, fmt.Errorf("does not build:\n%s", text)
	case strings.Contains(text, "no tests to run"):
		return false, fmt.Errorf("no test %s in %s", m.test, m.pkg)
	}
	return err != nil, nil
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
