package contract_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"
)

// Every name that the contract fixes is in the reference.
func TestReferenceNamesTheContract(t *testing.T) {
	page, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	prefixes := []string{"Header", "Stream", "Bucket", "Consumer", "Verb", "Code", "Metric", "Env", "Reason"}
	found := 0
	for name, value := range stringConstants(t) {
		for _, prefix := range prefixes {
			if !strings.HasPrefix(name, prefix) || name == "EnvironmentPrefix" {
				continue
			}
			found++
			if !strings.Contains(string(page), "`"+value) && !strings.Contains(string(page), value+"`") {
				t.Errorf("%s (%q) is not in docs/reference.md", name, value)
			}
		}
	}
	if found < 100 {
		t.Errorf("only %d names found: the constants are elsewhere now", found)
	}
}

// stringConstants are the package's exported string constants.
func stringConstants(t *testing.T) map[string]string {
	t.Helper()
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	constants := make(map[string]string)
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), f.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			for i, name := range spec.Names {
				if i >= len(spec.Values) || !name.IsExported() {
					continue
				}
				if lit, ok := spec.Values[i].(*ast.BasicLit); ok && lit.Kind == token.STRING {
					value, err := strconv.Unquote(lit.Value)
					if err != nil {
						t.Fatal(err)
					}
					constants[name.Name] = value
				}
			}
			return true
		})
	}
	return constants
}
