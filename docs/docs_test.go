// Package docs has no code. Its tests hold the documentation to the code: links
// lead somewhere, and each test, file, task and command that a page names exists.
package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = ".."

// pages are the documents by their path from the root.
func pages(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(root, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	texts := make(map[string]string)
	others := []string{filepath.Join(root, "llms.txt"), filepath.Join(root, "inbox", "TYPES.md"), filepath.Join(root, "capture", "TYPES.md")}
	for _, name := range slices.Concat(names, more, others) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			t.Fatal(err)
		}
		texts[filepath.ToSlash(rel)] = string(text)
	}
	delete(texts, "CHANGELOG.md") // its names are those of their time
	if len(texts) < 8 {
		t.Fatalf("only %d pages found", len(texts))
	}
	return texts
}

func TestLinksLeadSomewhere(t *testing.T) {
	texts := pages(t)
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	for page, text := range texts {
		for _, found := range link.FindAllStringSubmatch(text, -1) {
			target := found[1]
			if strings.Contains(target, "://") {
				continue
			}
			file, anchor, _ := strings.Cut(target, "#")
			path := page
			if file != "" {
				path = filepath.ToSlash(filepath.Join(filepath.Dir(page), file))
			}
			if _, err := os.Stat(filepath.Join(root, path)); err != nil {
				t.Errorf("%s: the link to %s leads nowhere", page, target)
				continue
			}
			if anchor != "" && !hasHeading(texts[path], anchor) {
				t.Errorf("%s: %s has no heading #%s", page, path, anchor)
			}
		}
	}
}

// hasHeading is whether a page has a heading whose anchor, as GitHub makes it, is
// the given one.
func hasHeading(text, anchor string) bool {
	dropped := regexp.MustCompile("[^a-z0-9 _-]")
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
		id := dropped.ReplaceAllString(strings.ToLower(heading[1]), "")
		if strings.ReplaceAll(id, " ", "-") == anchor {
			return true
		}
	}
	return false
}

// A cited test exists; with an ellipsis, one whose name begins so.
func TestCitedTestsExist(t *testing.T) {
	exist := declaredTests(t)
	cited := regexp.MustCompile(`\b((?:Test|Fuzz|Benchmark)[A-Z]\w*)(…?)`)
	for page, text := range pages(t) {
		for _, found := range cited.FindAllStringSubmatch(text, -1) {
			ok := exist[found[1]]
			for name := range exist {
				ok = ok || found[2] != "" && strings.HasPrefix(name, found[1])
			}
			// The test of CONTRIBUTING's example, which stands for any.
			if !ok && found[1] != "TestX" {
				t.Errorf("%s: there is no %s", page, found[1])
			}
		}
	}
}

func declaredTests(t *testing.T) map[string]bool {
	t.Helper()
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`)
	exist := make(map[string]bool)
	walk(t, func(path string) {
		if !strings.HasSuffix(path, "_test.go") {
			return
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range declared.FindAllStringSubmatch(string(text), -1) {
			exist[found[1]] = true
		}
	})
	return exist
}

// A cited file exists: some path ends with what is cited.
func TestCitedFilesExist(t *testing.T) {
	var paths []string
	walk(t, func(path string) { paths = append(paths, "/"+filepath.ToSlash(path)) })
	cited := regexp.MustCompile("`([a-z.][\\w./-]*\\.(?:go|md|yml|yaml|json))`")
	for page, text := range pages(t) {
		for _, found := range cited.FindAllStringSubmatch(text, -1) {
			if !slices.ContainsFunc(paths, func(path string) bool { return strings.HasSuffix(path, "/"+found[1]) }) {
				t.Errorf("%s: there is no file %s", page, found[1])
			}
		}
	}
}

// A cited task is in the Taskfile, and a cited verb in the command line.
func TestCitedCommandsExist(t *testing.T) {
	taskfile, err := os.ReadFile(filepath.Join(root, "Taskfile.yml"))
	if err != nil {
		t.Fatal(err)
	}
	verbs := make(map[string]bool)
	use := regexp.MustCompile(`Use:\s+"([a-z]+)`)
	walk(t, func(path string) {
		if filepath.Base(filepath.Dir(path)) != "replhub" || !strings.HasSuffix(path, ".go") {
			return
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range use.FindAllStringSubmatch(string(text), -1) {
			verbs[found[1]] = true
		}
	})
	verbs["completion"] = true // cobra's own
	task := regexp.MustCompile("`task ([a-z0-9]+)")
	verb := regexp.MustCompile("(?m)(?:`|^    |^    \\$ |run ./cmd/)replhub ([a-z]+)")
	for page, text := range pages(t) {
		for _, found := range task.FindAllStringSubmatch(text, -1) {
			if !strings.Contains(string(taskfile), "\n  "+found[1]+":\n") {
				t.Errorf("%s: there is no task %s", page, found[1])
			}
		}
		for _, found := range verb.FindAllStringSubmatch(text, -1) {
			if !verbs[found[1]] {
				t.Errorf("%s: there is no command replhub %s", page, found[1])
			}
		}
	}
}

// walk calls do with each file of the repository.
func walk(t *testing.T, do func(path string)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || d.Name() == "node_modules"):
			return filepath.SkipDir
		case !d.IsDir():
			do(path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
