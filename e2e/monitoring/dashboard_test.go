package monitoring_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"testing"
)

// dashboard is the file under test.
const dashboard = "../../deploy/grafana/replhub.json"

// panel is the part of a Grafana panel that the tests look at.
type panel struct {
	ID          int
	Type, Title string
	Description string
	GridPos     struct{ X, Y, W, H int }
	Targets     []struct{ Expr string }
}

// readDashboard reads the panels, and the names of the variables.
func readDashboard(t *testing.T) (panels []panel, variables []string) {
	t.Helper()
	text, err := os.ReadFile(dashboard)
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		UID, Title string
		Panels     []panel
		Templating struct {
			List []struct{ Name string }
		}
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	if d.UID == "" || d.Title == "" {
		t.Error("the dashboard has no uid or no title")
	}
	for _, v := range d.Templating.List {
		variables = append(variables, v.Name)
	}
	return d.Panels, variables
}

// Each panel has an id and a place of its own, a title, a description and a query, and
// uses variables that there are.
func TestDashboardIsWhole(t *testing.T) {
	panels, variables := readDashboard(t)
	if want := []string{"datasource", "service", "hub"}; !slices.Equal(variables, want) {
		t.Errorf("variables %v, want %v", variables, want)
	}
	ids, places := map[int]bool{}, map[[2]int]string{}
	used := regexp.MustCompile(`\$\{?(\w+)`)
	for _, p := range panels {
		if ids[p.ID] {
			t.Errorf("two panels have the id %d", p.ID)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other, taken := places[[2]int{x, y}]; taken || x > 23 {
					t.Fatalf("%q lies over %q, or beyond the edge", p.Title, other)
				}
				places[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		if p.Title == "" || p.Description == "" || len(p.Targets) == 0 {
			t.Errorf("panel %d (%q) lacks a title, a description or a query", p.ID, p.Title)
		}
		for _, target := range p.Targets {
			for _, v := range used.FindAllStringSubmatch(target.Expr, -1) {
				if v[1] != "__rate_interval" && !slices.Contains(variables, v[1]) {
					t.Errorf("%q uses the variable %s, which there is not", p.Title, v[0])
				}
			}
		}
	}
}
