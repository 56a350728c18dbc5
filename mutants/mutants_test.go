package main

import (
	"go/parser"
	"go/token"
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
