package monitoring_test

import (
	"os/exec"
	"testing"
)

// rules are the alert rules under test.
const rules = "../../deploy/prometheus/alerts.yml"

// tool is the path of one of Prometheus's programs.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%v; ./scripts/deps installs it", err)
	}
	return path
}
