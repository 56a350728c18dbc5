package docs_test

import (
	"os"
	"os/exec"
	"path"
	"regexp"
	"strings"
	"testing"
)

// docs/stability.md says of each package that users can import what is promised of it.
func TestPageNamesEveryPublicPackage(t *testing.T) {
	page, err := os.ReadFile("stability.md")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "go", "list", "-f", "{{if .GoFiles}}{{.Name}} {{.ImportPath}}{{end}}", "github.com/replhub/replhub/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	private := regexp.MustCompile(`/(internal|bench|e2e|examples|mutants|sim)(/|$)`)
	public := 0
	for line := range strings.Lines(string(out)) {
		name, at, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name == "" || name == "main" || private.MatchString(at) {
			continue
		}
		public++
		if !strings.Contains(string(page), "`"+path.Base(at)+"`") {
			t.Errorf("docs/stability.md does not say whether package %s is public", at)
		}
	}
	if public < 5 {
		t.Errorf("only %d packages can be imported: go list has listed something else", public)
	}
}
