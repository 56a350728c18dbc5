package check_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// binary is the product's own, which says whether it takes commands and variables.
var binary string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "replhub-check-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary = filepath.Join(dir, "replhub")
	build := exec.Command("go", "build", "-o", binary, "./cmd/replhub")
	build.Dir, build.Env = "../..", append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v: %s\n", err, out)
		return 1
	}
	return m.Run()
}

// judgeCommand runs the command of a container with its variables. No server is there, so
// that it fails; but not by wrong usage, an unknown flag or an unknown variable.
func judgeCommand(t *testing.T, name string, c corev1.Container) {
	t.Helper()
	env := make(map[string]string)
	for _, v := range c.Env {
		env[v.Name] = v.Value
		if v.ValueFrom != nil {
			env[v.Name] = "from-elsewhere"
		}
	}
	for _, arg := range c.Args {
		if strings.Contains(arg, "secret") || strings.Contains(arg, "://") {
			t.Errorf("%s has %q among its arguments, which others can read", name, arg)
		}
	}
	runsOrLacksServers(t, name, c.Args, env)
	for _, p := range []*corev1.Probe{c.StartupProbe, c.LivenessProbe, c.ReadinessProbe} {
		if p == nil {
			continue
		}
		if p.Exec == nil || p.Exec.Command[0] != "/usr/bin/replhub" {
			t.Errorf("%s is not probed by its own command", name)
			continue
		}
		runsOrLacksServers(t, name+", probe", p.Exec.Command[1:], env)
	}
}

// runsOrLacksServers fails if the binary refuses its arguments or its variables.
func runsOrLacksServers(t *testing.T, name string, args []string, env map[string]string) {
	t.Helper()
	if refusal := refusalOf(t, args, env); refusal != "" {
		t.Errorf("%s: replhub %s: %s", name, strings.Join(args, " "), refusal)
	}
}

// refusalOf runs the binary where none of its servers and files is, and returns what it
// says if its settings are wrong; empty if only the servers and files are missing.
func refusalOf(t *testing.T, args []string, env map[string]string) string {
	t.Helper()
	// What still waits for a server after three seconds has taken its settings.
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = []string{"HOME=" + t.TempDir()}
	for variable, value := range env {
		if strings.HasPrefix(value, "/etc/replhub/") || strings.HasPrefix(value, "/run/secrets/") {
			value = filepath.Join(t.TempDir(), filepath.Base(value)) // a file that there is not
		}
		if variable == "REPLHUB_NATS_URL" || variable == "NATS_URL" {
			value = "nats://127.0.0.1:1"
		}
		if strings.HasSuffix(variable, "_CONFIG") {
			continue // its settings are judged with the ConfigMap
		}
		if port, ok := strings.CutPrefix(value, "0.0.0.0:"); ok {
			value = "127.0.0.1:" + port
		}
		cmd.Env = append(cmd.Env, variable+"="+value)
	}
	out, err := cmd.CombinedOutput()
	for _, wrong := range []string{"is no variable", "unknown", "usage", "must be", "Usage"} {
		if strings.Contains(string(out), wrong) {
			return fmt.Sprintf("%v: %s", err, out)
		}
	}
	return ""
}

// A misspelt variable, flag or command is seen.
func TestRefusalsAreSeen(t *testing.T) {
	for _, c := range []struct {
		args []string
		env  map[string]string
	}{
		{[]string{"serve"}, map[string]string{"REPLHUB_HISTROY": "1h"}},
		{[]string{"serve"}, map[string]string{"REPLHUB_HISTORY": "-1h"}},
		{[]string{"apply", "s"}, map[string]string{"REPLHUB_APPLY_TABEL": "a=b"}},
		{[]string{"apply", "s", "--tabel", "a=b"}, nil},
		{[]string{"prob", "healthz"}, nil},
	} {
		if refusalOf(t, c.args, c.env) == "" {
			t.Errorf("%v %v is taken", c.args, c.env)
		}
	}
}
