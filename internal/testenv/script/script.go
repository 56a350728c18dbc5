// Package script runs the tests that are scripts: a file of testdata has the inputs of a
// state machine, and after them what the machine answered.
//
//	go test ./internal/queue -update    writes the present answers into the files
package script

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

//nolint:gochecknoglobals // a flag of the tests that import this package
var update = flag.Bool("update", false, "write what the scripts answer into testdata")

// Run plays each testdata/*.txt of the test's package as a subtest. play returns the
// script with the answers as they are now; the subtest fails if the file has others.
func Run(t *testing.T, play func(t *testing.T, text string) string) {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d scripts in testdata: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			played := play(t, string(text))
			if *update {
				if err := os.WriteFile(file, []byte(played), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(strings.Split(string(text), "\n"), strings.Split(played, "\n")); diff != "" {
				t.Errorf("%s says (-), and the code answers (+):\n%s", file, diff)
			}
		})
	}
}
