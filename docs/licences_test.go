package docs_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/licensecheck"
)

// compatible are the licences that a dependency may have: each lets anybody
// distribute it in a binary under Apache-2.0.
var compatible = []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MPL-2.0"}

// minimalCover is how much of a licence file must be known text, in percent. The rest
// is names and years.
const minimalCover = 75

// Every module that the product or its tests are built from has a licence file, and its
// licences are compatible with the product's own.
func TestLicencesOfDependencies(t *testing.T) {
	folders := make(map[string]string)
	for _, module := range modules(t) {
		list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-test", "-f",
			"{{with .Module}}{{if not .Main}}{{.Path}}\t{{.Dir}}{{end}}{{end}}", "./...")
		list.Dir = module
		out, err := list.Output()
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(out)) {
			if module, folder, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok && !strings.HasPrefix(module, own) {
				folders[module] = folder
			}
		}
	}
	if len(folders) < 10 {
		t.Fatalf("only %d modules: go list has listed something else", len(folders))
	}
	for _, module := range slices.Sorted(maps.Keys(folders)) {
		licences, err := licencesIn(folders[module])
		switch {
		case err != nil:
			t.Errorf("%s: %v", module, err)
		case len(licences) == 0:
			t.Errorf("%s: no file in %s has the text of a known licence", module, folders[module])
		}
		for _, l := range licences {
			if !slices.Contains(compatible, l) {
				t.Errorf("%s has the licence %s, which is not among %v", module, l, compatible)
			}
		}
	}
}

// own begins the path of each module of this tree.
const own = "github.com/replhub/replhub"

// modules are the folders of the modules of this tree that are released. deploy/check
// is not: it checks files, nobody imports it, and its task is its whole use.
func modules(t *testing.T) []string {
	t.Helper()
	var folders []string
	walk(t, func(path string) {
		if filepath.Base(path) == "go.mod" && filepath.Base(filepath.Dir(path)) != "check" {
			folders = append(folders, filepath.Dir(path))
		}
	})
	if len(folders) < 2 {
		t.Fatalf("modules found: %v", folders)
	}
	return folders
}

// What CI does with a module, it does with each: "./..." ends at a module, so none is
// reached from another.
func TestEachModuleIsTested(t *testing.T) {
	read := func(name string) string {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	taskfile, dependabot, lint, changelog := read("Taskfile.yml"), read(".github/dependabot.yml"), read(".github/workflows/lint.yml"), read("CHANGELOG.md")
	newest := regexp.MustCompile(`(?m)^## \[(\d[^\]]*)\]`).FindStringSubmatch(changelog)
	for _, folder := range modules(t) {
		name, err := filepath.Rel(root, folder)
		if err != nil {
			t.Fatal(err)
		}
		if name == "." {
			continue
		}
		for _, must := range []struct{ text, have string }{
			{taskfile, "dir: " + name},
			{taskfile, "cd " + name + " && go mod verify && go vet"},
			{taskfile, "cd " + name + " && go run {{.GOVULNCHECK}}"},
			{dependabot, "directory: /" + name},
			{lint, "cd " + name + " && go mod tidy -diff"},
			{read(name + "/go.mod"), own + " v" + newest[1]}, // released together, this one second
		} {
			if !strings.Contains(must.text, must.have) {
				t.Errorf("module %s: %q is missing", name, must.have)
			}
		}
	}
}

// licencesIn returns the licences whose texts are in a module's folder.
func licencesIn(folder string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil {
		return nil, err
	}
	var found []string
	for _, file := range files {
		name := strings.ToUpper(filepath.Base(file))
		if !strings.HasPrefix(name, "LICEN") && !strings.HasPrefix(name, "COPYING") {
			continue
		}
		if info, err := os.Stat(file); err != nil || info.IsDir() {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		cover := licensecheck.Scan(text)
		if cover.Percent < minimalCover {
			continue
		}
		for _, m := range cover.Match {
			found = append(found, m.ID)
		}
	}
	return found, nil
}

func TestUnknownAndForbiddenLicences(t *testing.T) {
	folder := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("LICENSE", "You may use this if you are nice.\n")
	write("readme.md", "Permission is hereby granted to nobody.\n")
	if found, err := licencesIn(folder); err != nil || len(found) != 0 {
		t.Errorf("found %v, %v, in a text that is no licence", found, err)
	}
	own, err := os.ReadFile(filepath.Join("..", "LICENSE"))
	if err != nil {
		t.Fatal(err)
	}
	write("LICENSE", string(own))
	if found, err := licencesIn(folder); err != nil || !slices.Equal(found, []string{"Apache-2.0"}) {
		t.Errorf("found %v, %v, in this repository's licence", found, err)
	}
}
