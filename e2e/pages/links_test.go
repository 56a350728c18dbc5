package pages_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The map for language models, and the pages here, lead to files that exist.
func TestPagesLeadSomewhere(t *testing.T) {
	const top = "../.."
	for _, page := range []string{"llms.txt", "docs/stability.md", "docs/any-language.md"} {
		text, err := os.ReadFile(filepath.Join(top, page))
		if err != nil {
			t.Fatal(err)
		}
		links := regexp.MustCompile(`\]\(([^)]+)\)`).FindAllSubmatch(text, -1)
		if len(links) == 0 {
			t.Errorf("%s has no link", page)
		}
		for _, link := range links {
			to, _, _ := strings.Cut(string(link[1]), "#")
			if to == "" || strings.Contains(to, "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(top, filepath.Dir(page), to)); err != nil {
				t.Errorf("%s links to %s, which is not there", page, to)
			}
		}
	}
}
