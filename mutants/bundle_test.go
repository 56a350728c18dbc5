package main

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// Nearly all mutants change a function, and so are in the bundle. What it lays over the
// tree is Go.
func TestBundleHoldsTheMutants(t *testing.T) {
	t.Chdir("..")
	dir := t.TempDir()
	_, alone, err := bundle(dir, all())
	if err != nil {
		t.Fatal(err)
	}
	if len(alone) > len(all())/20 {
		t.Errorf("%d of %d mutants are built alone", len(alone), len(all()))
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if _, err := parser.ParseFile(token.NewFileSet(), file, nil, 0); err != nil {
			t.Error(err)
		}
	}
}

func TestBundleFile(t *testing.T) {
	const source = `package p

func (t *T) add(a, _ int, more ...string) (int, error) { return t.sum(a), nil }

func plain(int) {
	first()
	second()
}

var table = 1
`
	got, rest, err := bundleFile("p.go", []byte(source), []mutant{
		{name: "half", old: "t.sum(a)", new: "t.sum(0)"},
		{name: "no-first", old: "\tfirst()\n", new: ""},
		{name: "table", old: "= 1", new: "= 2"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(rest) != 1 || rest[0].name != "table" {
		t.Errorf("built alone: %v", rest)
	}
	want, err := os.ReadFile("testdata/bundled.txt")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s", got)
	}
}
