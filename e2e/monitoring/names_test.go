package monitoring_test

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/replhub/replhub/internal/contract"
)

// alert is a rule of the file.
type alert struct {
	Alert       string
	Expr        string
	Labels      map[string]string
	Annotations map[string]string
}

func readAlerts(t *testing.T) []alert {
	t.Helper()
	text, err := os.ReadFile(rules)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct{ Rules []alert }
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	var all []alert
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	if len(all) < 30 {
		t.Fatalf("only %d alerts", len(all))
	}
	return all
}

// The file is valid, by Prometheus's own judgement, and so is the example configuration.
func TestPromtoolTakesTheFiles(t *testing.T) {
	for _, args := range [][]string{{"check", "rules", rules}, {"check", "config", "../../deploy/prometheus/prometheus.yml"}} {
		if out, err := exec.CommandContext(t.Context(), tool(t, "promtool"), args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v: %s", args, err, out)
		}
	}
}

// Each alert has a severity, a summary, and a section of the runbooks with what it means,
// what to look at and what to do. No section is without an alert.
func TestEachAlertHasARunbook(t *testing.T) {
	page, err := os.ReadFile("../../docs/runbooks.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := make(map[string]string)
	for _, section := range strings.Split(string(page), "\n### ")[1:] {
		name, text, _ := strings.Cut(section, "\n")
		text, _, _ = strings.Cut(text, "\n## ")
		sections[name] = text
	}
	for _, a := range readAlerts(t) {
		if s := a.Labels["severity"]; s != "critical" && s != "warning" {
			t.Errorf("%s has the severity %q", a.Alert, s)
		}
		if !strings.HasSuffix(strings.TrimSpace(a.Annotations["summary"]), ".") {
			t.Errorf("the summary of %s is no sentence: %q", a.Alert, a.Annotations["summary"])
		}
		if want := "https://github.com/replhub/replhub/blob/main/docs/runbooks.md#" + strings.ToLower(a.Alert); a.Annotations["runbook_url"] != want {
			t.Errorf("the runbook of %s is %s, want %s", a.Alert, a.Annotations["runbook_url"], want)
		}
		text, ok := sections[a.Alert]
		if !ok {
			t.Errorf("docs/runbooks.md has no section %s", a.Alert)
		}
		delete(sections, a.Alert)
		for _, part := range []string{"**Meaning**", "**Look at**", "**Do**"} {
			if !strings.Contains(text, part) {
				t.Errorf("the section of %s has no %s", a.Alert, part)
			}
		}
	}
	for name := range sections {
		t.Errorf("docs/runbooks.md has a section %s, and there is no such alert", name)
	}
}

// Each metric that a rule or the dashboard names is one of the code's.
func TestMetricsExist(t *testing.T) {
	var names []string
	for _, m := range slices.Concat(contract.Metrics(), contract.CaptureMetrics(), contract.ApplyMetrics(), contract.PushMetrics()) {
		names = append(names, m.Name)
		if m.Buckets != nil {
			names = append(names, m.Name+"_bucket", m.Name+"_sum", m.Name+"_count")
		}
	}
	var exprs []string
	for _, a := range readAlerts(t) {
		exprs = append(exprs, a.Expr)
	}
	panels, _ := readDashboard(t)
	for _, p := range panels {
		for _, target := range p.Targets {
			exprs = append(exprs, target.Expr)
		}
	}
	metric := regexp.MustCompile(`\breplhub_\w+`)
	for _, expr := range exprs {
		for _, name := range metric.FindAllString(expr, -1) {
			if !slices.Contains(names, name) {
				t.Errorf("there is no metric %s, which %s asks for", name, expr)
			}
		}
	}
}

// Each command of the runbooks is one that the binary takes: none is wrong usage. No
// server is there, so that none does anything.
func TestRunbookCommandsAreTaken(t *testing.T) {
	page, err := os.ReadFile("../../docs/runbooks.md")
	if err != nil {
		t.Fatal(err)
	}
	placeholder := strings.NewReplacer("<service>", "sharing", "<entity>", "user", "<seq>", "17")
	cited := regexp.MustCompile("`replhub ([a-z][^`]*)`").FindAllStringSubmatch(string(page), -1)
	if len(cited) < 20 {
		t.Fatalf("only %d commands", len(cited))
	}
	done := make(map[string]bool)
	for _, found := range cited {
		if done[found[1]] {
			continue
		}
		done[found[1]] = true
		args := strings.Fields(placeholder.Replace(found[1]))
		if slices.Contains([]string{"capture", "apply", "push", "verify"}, args[0]) {
			args = append(args, "--help") // these need more than the page says there
		}
		if args[0] == "drop" {
			args = append(args, "--yes") // it asks on a terminal
		}
		cmd := exec.CommandContext(t.Context(), binary, args...)
		cmd.Env = []string{"NATS_URL=nats://127.0.0.1:1", "HOME=" + t.TempDir()}
		if out, err := cmd.CombinedOutput(); cmd.ProcessState == nil || cmd.ProcessState.ExitCode() == 2 {
			t.Errorf("replhub %s: %v: %s", strings.Join(args, " "), err, out)
		}
	}
}
