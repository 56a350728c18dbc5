package examples_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// smallest are the programs that README and guide show.
func smallest(t *testing.T) []string {
	t.Helper()
	var texts []string
	for _, name := range []string{"publisher", "subscriber"} {
		program, err := os.ReadFile(filepath.Join(name, "main.go"))
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(program), "\n"); n >= 40 {
			t.Errorf("%s has %d lines, want fewer than 40", name, n)
		}
		texts = append(texts, string(program))
	}
	return texts
}

// shown are the blocks of Go in a page.
func shown(t *testing.T, page string) []string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, block := range regexp.MustCompile("(?ms)^```go\n(.*?)^```$").FindAllStringSubmatch(string(text), -1) {
		blocks = append(blocks, block[1])
	}
	return blocks
}

// The guide shows the publisher and the subscriber as they are.
func TestGuideShowsThePrograms(t *testing.T) {
	if diff := cmp.Diff(smallest(t), shown(t, "../docs/guide.md")); diff != "" {
		t.Errorf("the guide's programs are not those of examples (-want +got):\n%s", diff)
	}
}

// The README shows the heart of both.
func TestReadmeShowsPartsOfThePrograms(t *testing.T) {
	whole := smallest(t)
	parts := shown(t, "../README.md")
	if len(parts) != len(whole) {
		t.Fatalf("the README shows %d programs, want %d", len(parts), len(whole))
	}
	for i, part := range parts {
		if !strings.Contains(whole[i], part) {
			t.Errorf("the README's part is not of examples:\n%s", part)
		}
	}
}
