//go:build long

package monitoring_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/replhub/replhub/internal/testenv/child"
	"github.com/replhub/replhub/replhubtest"
)

// onlyWhile are the metrics that no healthy installation has: their panels are empty then.
func onlyWhile() []string {
	return []string{
		"replhub_lane_fill_ratio", "replhub_lane_snapshot_rows", "replhub_lane_trouble", "replhub_ingest_full",
	}
}

// prometheus is a real server that scrapes targets all the time.
type prometheus struct {
	t   *testing.T
	url string
}

func startPrometheus(t *testing.T, targets []target) *prometheus {
	t.Helper()
	dir := t.TempDir()
	alerts, err := filepath.Abs(rules)
	if err != nil {
		t.Fatal(err)
	}
	var config strings.Builder
	fmt.Fprintf(&config, "global: {scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms}\nrule_files: [%q]\nscrape_configs:\n", alerts)
	label := regexp.MustCompile(`(\w+)="([^"]*)"`)
	for i, tg := range targets {
		fmt.Fprintf(&config, "  - job_name: scrape%d\n    static_configs:\n      - targets: [%q]\n        labels:\n", i, strings.TrimPrefix(tg.url, "http://"))
		for _, l := range label.FindAllStringSubmatch(tg.labels, -1) {
			fmt.Fprintf(&config, "          %s: %s\n", l[1], l[2])
		}
	}
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, []byte(config.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(dir, "log")
	server, err := child.Start(exec.Command(tool(t, "prometheus"), "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address=127.0.0.1:0"), log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Kill() })
	p := &prometheus{t: t}
	at := regexp.MustCompile(`msg="Listening on" address=(127\.0\.0\.1:\d+)`)
	replhubtest.Await(t, "Prometheus to listen", func() error {
		found := at.FindStringSubmatch(child.Tail(log, 1<<20))
		if found == nil {
			return fmt.Errorf("no address yet: %s", child.Tail(log, 2000))
		}
		p.url = "http://" + found[1]
		return nil
	}, replhubtest.Within(within))
	return p
}

// get asks the API.
func (p *prometheus) get(path string, into any) error {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.url+path, nil)
	if err != nil {
		return err
	}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	var body struct {
		Status, Error string
		Data          json.RawMessage
	}
	if err := json.NewDecoder(answer.Body).Decode(&body); err != nil {
		return fmt.Errorf("%s: %w", answer.Status, err)
	}
	if body.Status != "success" {
		return errors.New(body.Error)
	}
	return json.Unmarshal(body.Data, into)
}

// count is how many series a query gives.
func (p *prometheus) count(expr string) (int, error) {
	var data struct{ Result []json.RawMessage }
	err := p.get("/api/v1/query?query="+url.QueryEscape(expr), &data)
	return len(data.Result), err
}

// checkDashboard runs the query of each panel on what a real Prometheus has scraped.
func checkDashboard(t *testing.T, targets []target) {
	t.Helper()
	p := startPrometheus(t, targets)
	panels, _ := readDashboard(t)
	values := strings.NewReplacer("$service", ".*", "$hub", ".*", "$__rate_interval", "10s")
	queries := 0
	for _, panel := range panels {
		for _, target := range panel.Targets {
			queries++
			expr := values.Replace(target.Expr)
			replhubtest.Await(t, "data of "+panel.Title, func() error {
				n, err := p.count(expr)
				if err != nil {
					return fmt.Errorf("%s: %w", expr, err)
				}
				empty := slices.ContainsFunc(onlyWhile(), func(name string) bool { return strings.Contains(expr, name) })
				if n == 0 && !empty {
					return fmt.Errorf("%s gives nothing", expr)
				}
				return nil
			}, replhubtest.Within(within))
		}
	}
	if queries < 40 {
		t.Errorf("only %d queries: the dashboard was read wrongly", queries)
	}
	p.checkRules()
}

// checkRules holds that the server evaluates each rule without an error.
func (p *prometheus) checkRules() {
	p.t.Helper()
	var data struct {
		Groups []struct {
			Rules []struct{ Name, Health, LastError string }
		}
	}
	replhubtest.Await(p.t, "all rules to be evaluated", func() error {
		if err := p.get("/api/v1/rules", &data); err != nil {
			return err
		}
		n := 0
		for _, g := range data.Groups {
			for _, r := range g.Rules {
				n++
				if r.Health != "ok" {
					return fmt.Errorf("%s: %s %s", r.Name, r.Health, r.LastError)
				}
			}
		}
		if n < 30 {
			return fmt.Errorf("only %d rules", n)
		}
		return nil
	}, replhubtest.Within(within))
}
