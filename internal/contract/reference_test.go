package contract_test

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/replhub/replhub/internal/contract"
)

var update = flag.Bool("update", false, "write the generated tables of docs/reference.md")

const reference = "../../docs/reference.md"

// The tables of variables and metrics in the reference are those of the code.
func TestReferenceTables(t *testing.T) {
	page, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	want := string(page)
	for name, table := range map[string]string{
		"variables": variables(), "metrics": metrics(contract.Metrics()), "capture-metrics": metrics(contract.CaptureMetrics()),
		"apply-metrics": metrics(contract.ApplyMetrics()), "push-metrics": metrics(contract.PushMetrics()),
	} {
		want = withTable(t, want, name, table)
	}
	if want == string(page) {
		return
	}
	if !*update {
		t.Fatal("docs/reference.md is out of date; run: go test ./internal/contract -run Reference -update")
	}
	if err := os.WriteFile(reference, []byte(want), 0o600); err != nil {
		t.Fatal(err)
	}
}

// withTable is the page with the table between the markers of that name.
func withTable(t *testing.T, page, name, table string) string {
	t.Helper()
	marked := regexp.MustCompile(`(?s)(<!-- ` + name + `: [^\n]*-->\n).*?(<!-- end -->)`)
	if len(marked.FindAllString(page, -1)) != 1 {
		t.Fatalf("docs/reference.md has no place for the table of %s", name)
	}
	return marked.ReplaceAllStringFunc(page, func(found string) string {
		parts := marked.FindStringSubmatch(found)
		return parts[1] + table + parts[2]
	})
}

func variables() string {
	var b strings.Builder
	b.WriteString("| variable | default | meaning |\n|---|---|---|\n")
	for _, v := range contract.Variables() {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", v.Name, v.Default, v.Meaning)
	}
	return b.String()
}

func metrics(all []contract.Metric) string {
	var b strings.Builder
	b.WriteString("| metric | type | labels | meaning |\n|---|---|---|---|\n")
	for _, m := range all {
		kind := "gauge"
		switch {
		case m.Counter:
			kind = "counter"
		case m.Buckets != nil:
			kind = "histogram"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", m.Name, kind, strings.Join(m.Labels, ", "), m.Help)
	}
	return b.String()
}
