package main

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Each mutant follows the code: its mechanism is there once, what replaces it is
// Go, and no two share a name.
func TestMutantsFollowTheCode(t *testing.T) {
	names := make(map[string]bool)
	for _, m := range all() {
		source, err := m.mutate("..")
		if err != nil {
			t.Errorf("%s: %v", m.name, err)
			continue
		}
		if _, err := parser.ParseFile(token.NewFileSet(), m.file, source, 0); err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
		if names[m.name] {
			t.Errorf("%s: there are two of that name", m.name)
		}
		names[m.name] = true
	}
}

// Each mutant of a pure core has a script of the simulation, which is red with it, or
// the reason why it has none. Each script shows what breaks without something: a mutant
// of its name, or a flaw of the simulation.
func TestMutantsOfTheCoresAreSimulated(t *testing.T) {
	named := make(map[string]bool)
	for _, m := range all() {
		named[m.name] = true
		switch {
		case m.ofCore() && m.hasScript("..") == (m.noSim != ""):
			t.Errorf("%s: must have a script in hub/sim/testdata, or else a reason", m.name)
		case !m.ofCore() && m.noSim != "":
			t.Errorf("%s: is of no core, and has a reason", m.name)
		}
	}
	scripts, err := filepath.Glob(filepath.Join("..", simulation, "testdata", "*.txt"))
	if err != nil || len(scripts) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, file := range scripts {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if name := strings.TrimSuffix(filepath.Base(file), ".txt"); named[name] == strings.Contains(string(text), "# flaw: ") {
			t.Errorf("%s must show a mutant or a flaw", file)
		}
	}
}

// Every mutant is in one of the parts, and numbers past the last part go round.
func TestParts(t *testing.T) {
	for _, m := range all() {
		n := 0
		for _, part := range []string{"1/3", "2/3", "3/3"} {
			in, err := parsePart(part)
			if err != nil {
				t.Fatal(err)
			}
			if in(m.name) {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%s is in %d parts", m.name, n)
		}
	}
	second, _ := parsePart("2/3")
	fifth, err := parsePart("5/3")
	if err != nil || second("x") != fifth("x") || second("y") != fifth("y") || second("z") != fifth("z") {
		t.Errorf("part 5 of 3 is not part 2 of 3: %v", err)
	}
	for _, wrong := range []string{"", "1", "0/2", "1/0", "a/b"} {
		if _, err := parsePart(wrong); err == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
}
