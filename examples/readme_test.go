package examples_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The README shows the publisher and the subscriber as they are, each under 40
// lines.
func TestReadmeShowsThePrograms(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var shown []string
	for _, block := range regexp.MustCompile("(?ms)^```go\n(.*?)^```$").FindAllStringSubmatch(string(readme), -1) {
		shown = append(shown, block[1])
	}
	var want []string
	for _, name := range []string{"publisher", "subscriber"} {
		program, err := os.ReadFile(filepath.Join(name, "main.go"))
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(program), "\n"); n >= 40 {
			t.Errorf("%s has %d lines, want fewer than 40", name, n)
		}
		want = append(want, string(program))
	}
	if diff := cmp.Diff(want, shown); diff != "" {
		t.Errorf("the README's programs are not those of examples (-want +got):\n%s", diff)
	}
}
