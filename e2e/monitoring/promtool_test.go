//go:build long

package monitoring_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// story is what Prometheus sees over time: twenty minutes in which all is well, forty in
// which something is broken, and eighty in which it is mended.
type story struct {
	name         string
	well, broken sample
	// fires are all alerts that fire at some time while it is broken.
	fires []string
}

// The minutes of a story's parts.
const (
	wellFor, brokenFor, mendedFor = 20, 40, 80
	end                           = wellFor + brokenFor + mendedFor - 1
)

// tell runs the stories through promtool.
func tell(t *testing.T, stories ...story) {
	t.Helper()
	var b strings.Builder
	path, err := filepath.Abs(rules)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&b, "rule_files: [%s]\nevaluation_interval: 1m\ntests:\n", path)
	for _, s := range stories {
		s.write(&b)
	}
	file := filepath.Join(t.TempDir(), "alerts_test.yml")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), tool(t, "promtool"), "test", "rules", file).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: the alerts are not those that are meant\n%s\n%s", err, out, shorten(b.String()))
	}
}

// shorten leaves the series out.
func shorten(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if !strings.Contains(line, "series: ") && !strings.Contains(line, "values: ") {
			b.WriteString(line)
		}
	}
	return b.String()
}

func (s story) write(b *strings.Builder) {
	fmt.Fprintf(b, "  - name: %s\n    interval: 1m\n    input_series:\n", strconv.Quote(s.name))
	names := slices.AppendSeq(slices.Collect(maps.Keys(s.well)), maps.Keys(s.broken))
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		fmt.Fprintf(b, "      - series: %s\n        values: %s\n", strconv.Quote(name), strconv.Quote(s.values(name)))
	}
	b.WriteString("    promql_expr_test:\n")
	expect := func(expr string, minute int, alerts []string) {
		fmt.Fprintf(b, "      - expr: group by (alertname) (%s)\n        eval_time: %dm\n        exp_samples:", expr, minute)
		if len(alerts) == 0 {
			b.WriteString(" []")
		}
		b.WriteString("\n")
		for _, a := range alerts {
			fmt.Fprintf(b, "          - {labels: '{alertname=\"%s\"}', value: 1}\n", a)
		}
	}
	firing := `ALERTS{alertstate="firing"}`
	expect(fmt.Sprintf("max_over_time(%s[%dm])", firing, wellFor), wellFor-1, nil)
	expect(fmt.Sprintf("max_over_time(%s[%dm])", firing, brokenFor-1), wellFor+brokenFor-1, s.fires)
	expect(firing, end, nil)
}

// values are those of a series over the whole story.
func (s story) values(name string) string {
	well, wasThere := s.well[name]
	broken, isThere := s.broken[name]
	part := func(v float64, there bool, growth float64, minutes int) string {
		if !there {
			return fmt.Sprintf("_x%d", minutes)
		}
		return fmt.Sprintf("%v+%vx%d", v, growth, minutes-1)
	}
	growth := 0.0
	if isThere && broken > 0 && isAge(name) {
		growth = 60 // an age grows by a minute each minute, as long as nothing is mended
	}
	mended, remains := well, wasThere
	if isThere && keeps(name) {
		mended, remains = broken, true
	}
	return strings.Join([]string{
		part(well, wasThere, 0, wellFor), part(broken, isThere, growth, brokenFor), part(mended, remains, 0, mendedFor),
	}, " ")
}

// isAge reports whether a gauge grows by itself.
func isAge(series string) bool {
	name, _, _ := strings.Cut(series, "{")
	return strings.HasSuffix(name, "lag_seconds") || strings.HasSuffix(name, "oldest_unacked_seconds")
}

// keeps reports whether a series does not go back when the trouble ends.
func keeps(series string) bool {
	name, _, _ := strings.Cut(series, "{")
	return strings.HasSuffix(name, "_total") || name == "replhub_ingest_epoch"
}
