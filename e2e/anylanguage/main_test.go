package anylanguage_test

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/replhub/replhub/internal/testenv/sqltest"
)

// program is the folder of the installed program.
var program string // TestMain has no other way to hand it to the tests

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "replhub-anylanguage-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := install(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	program = dir
	// Each scenario waits for leases nearly all of its time, whatever the cores.
	flag.Parse()
	if err := flag.Set("test.parallel", "4"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := sqltest.Main(m).Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// install copies the program and has npm fetch what it depends on, so that
// nothing is written into the repository.
func install(dir string) error {
	for _, name := range []string{"node", "npm"} {
		if _, err := exec.LookPath(name); err != nil {
			return fmt.Errorf("%s is missing: these tests need Node 18 or later and npm (./scripts/deps installs them on Debian as root: apt-get install nodejs npm)", name)
		}
	}
	if err := copyProgram(".", dir); err != nil {
		return err
	}
	for _, name := range []string{"package.json", "package-lock.json"} {
		if err := copyFile(name, filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	npm := exec.Command("npm", "ci", "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts")
	npm.Dir = dir
	if out, err := npm.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci, which needs the npm registry or a cache of it: %w\n%s", err, out)
	}
	return nil
}

// copyProgram copies the program's own files.
func copyProgram(from, to string) error {
	names, err := fs.Glob(os.DirFS(from), "*.mjs")
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := copyFile(filepath.Join(from, name), filepath.Join(to, name)); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o600)
}

// without is the program with one line taken out of a file.
func without(t *testing.T, file, line string) string {
	t.Helper()
	dir := t.TempDir()
	if err := copyProgram(program, dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(program, "node_modules"), filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), line); n != 1 {
		t.Fatalf("%s has %q %d times, not once", file, line, n)
	}
	if err := os.WriteFile(filepath.Join(dir, file), []byte(strings.Replace(string(text), line, "", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}
