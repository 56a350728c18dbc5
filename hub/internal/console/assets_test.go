package console

import (
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/licensecheck"
)

// What other projects made is served with its licence, which lets anybody distribute it.
func TestVendoredFilesHaveTheirLicences(t *testing.T) {
	entries, err := files.ReadDir("assets/vendor")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, entry := range entries {
		if path.Ext(entry.Name()) == ".LICENSE" {
			continue
		}
		seen++
		project, _, _ := strings.Cut(entry.Name(), ".")
		text, err := files.ReadFile("assets/vendor/" + project + ".LICENSE")
		if err != nil {
			t.Errorf("%s: %v", entry.Name(), err)
			continue
		}
		for _, m := range licensecheck.Scan(text).Match {
			if !slices.Contains([]string{"0BSD", "MIT"}, m.ID) {
				t.Errorf("%s has the licence %s", entry.Name(), m.ID)
			}
		}
		if len(licensecheck.Scan(text).Match) == 0 {
			t.Errorf("%s: no known licence", entry.Name())
		}
	}
	if seen < 3 {
		t.Errorf("%d files", seen)
	}
}
