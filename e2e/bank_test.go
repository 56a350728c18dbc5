package e2e_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/replhub/replhub/e2e/bank/audit"
	"github.com/replhub/replhub/e2e/bank/stage"
	"github.com/replhub/replhub/e2e/harness"
)

// TestBank has four publishers change 5000 accounts 25,000 times (500,000 in task
// bank) through the outbox, and two services of three instances each apply that
// through the inbox, in batches, one in the order of keys and one without, while
// everybody is killed at random. BANK_SEED, BANK_CHANGES and BANK_RATE ask for another run,
// BANK_WITHOUT for one that must go red.
func TestBank(t *testing.T) {
	changes := number(t, "BANK_CHANGES", 25_000)
	faults := stage.Faults{Publishers: 3, Relays: 3, Instances: 5, Freezes: 3, Hubs: 2, Servers: 2}
	if changes >= 100_000 {
		faults = stage.Faults{Publishers: 6, Relays: 4, Instances: 8, Freezes: 4, Hubs: 4, Servers: 3}
	}
	for _, v := range bankRun(t, stage.Config{
		Binary: buildBank(t), Changes: changes, Rate: float64(number(t, "BANK_RATE", 10_000)),
		Keys: 5000, Most: 40, Workers: 4, Batches: true,
		Seed: uint64(number(t, "BANK_SEED", 1)), Without: os.Getenv("BANK_WITHOUT"),
		Faults: faults,
	}) {
		if err := v.Err(); err != nil {
			t.Error(err)
		}
	}
}

// bankRun is one run of the bank with its audit.
func bankRun(t *testing.T, cfg stage.Config) []*audit.Verdict {
	t.Helper()
	// The time of the audit is not the test's: its context ends before cleanups.
	ctx := context.WithoutCancel(t.Context())
	w := harness.New(t, harness.Options{Binary: binary, Seed: cfg.Seed})
	b := stage.Open(t, w, w.StartHub("h1"), cfg)
	began := time.Now()
	made := b.Work(ctx)
	worked := time.Since(began)
	b.Settle(ctx)
	took := time.Since(began)
	verdicts := b.Audit(ctx)
	for _, v := range verdicts {
		t.Logf("%s; %d rows, %d effects, %d handlers %v, %d overlaps excused", v.Counts(), v.Rows, v.Effects, v.Handlings, v.Outcomes, v.Excused)
	}
	t.Logf("BANK seed %d: %d changes in %s (%.0f/s), everywhere after %s (%.0f/s); %v",
		cfg.Seed, made, worked.Round(time.Millisecond), float64(made)/worked.Seconds(),
		took.Round(time.Millisecond), float64(made)/took.Seconds(), b.Struck)
	return verdicts
}

// buildBank builds command bank.
func buildBank(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bank")
	if out, err := exec.Command("go", "build", "-o", path, "github.com/replhub/replhub/e2e/bank").CombinedOutput(); err != nil {
		t.Fatalf("build the bank: %v\n%s", err, out)
	}
	return path
}

// number is a variable of the environment.
func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}
