package monitoring_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/replhub/replhub/e2e/harness"
	"github.com/replhub/replhub/internal/testenv/sqltest"
)

// binary is the command under test, built once per run.
var binary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "replhub-monitoring-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if binary, err = harness.Build(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := sqltest.Main(m).Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}
