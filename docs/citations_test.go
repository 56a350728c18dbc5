package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A test that is cited as "package: test" is in that package. The tests after it in
// the same list are of the same package.
func TestCitedTestsAreInTheirPackages(t *testing.T) {
	in := testsByFolder(t)
	cited := regexp.MustCompile("`([a-z][a-z/]*): ((?:Test|Fuzz|Benchmark)[A-Z]\\w*)(…?)[^`]*`((?:(?: \\([^)|]*\\))?(?:,| and) `(?:Test|Fuzz|Benchmark)\\w+…?(?:/\\w+)?`)*)")
	further := regexp.MustCompile("`((?:Test|Fuzz|Benchmark)\\w+)(…?)")
	found := 0
	for page, text := range pages(t) {
		for _, group := range cited.FindAllStringSubmatch(text, -1) {
			names := append([][]string{{"", group[2], group[3]}}, further.FindAllStringSubmatch(group[4], -1)...)
			for _, name := range names {
				found++
				if !slices.ContainsFunc(in[name[1]], func(folder string) bool { return isPackage(folder, group[1]) }) &&
					(name[2] == "" || !anyBegins(in, name[1], group[1])) {
					t.Errorf("%s: package %s has no %s; it is in %v", page, group[1], name[1], in[name[1]])
				}
			}
		}
	}
	if found < 100 {
		t.Errorf("only %d citations found: the pages state them in another form", found)
	}
}

// isPackage is whether a folder is the package that a page calls so: by its last
// elements, and "replhub" for the root.
func isPackage(folder, name string) bool {
	return folder == name || strings.HasSuffix(folder, "/"+name) || name == "replhub" && folder == "."
}

func anyBegins(in map[string][]string, prefix, name string) bool {
	for test, folders := range in {
		if strings.HasPrefix(test, prefix) && slices.ContainsFunc(folders, func(f string) bool { return isPackage(f, name) }) {
			return true
		}
	}
	return false
}

// testsByFolder is in which folders there is a test of each name.
func testsByFolder(t *testing.T) map[string][]string {
	t.Helper()
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`)
	in := make(map[string][]string)
	walk(t, func(path string) {
		if !strings.HasSuffix(path, "_test.go") {
			return
		}
		folder, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range declared.FindAllStringSubmatch(read(t, path), -1) {
			in[found[1]] = append(in[found[1]], filepath.ToSlash(folder))
		}
	})
	return in
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A cited folder exists. Paths of two or more elements are looked for from the root,
// and below the places that the pages abbreviate.
func TestCitedFoldersExist(t *testing.T) {
	cited := regexp.MustCompile("`((?:hub|internal|cmd|e2e|examples|inbox|outbox|capture|apply|push|mutants|docs|bench)/[a-z0-9_/]+)`")
	for page, text := range pages(t) {
		for _, found := range cited.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join(root, found[1])); err != nil {
				t.Errorf("%s: there is no folder %s", page, found[1])
			}
		}
	}
	run := regexp.MustCompile(`go run (\./[\w./-]+)`)
	for page, text := range pages(t) {
		for _, found := range run.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join(root, found[1])); err != nil {
				t.Errorf("%s: there is no program %s", page, found[1])
			}
		}
	}
}

// A cited mutant is in package mutants, and a cited script of the simulation in its
// folder.
func TestCitedMutantsAndScriptsExist(t *testing.T) {
	var mutants strings.Builder
	scripts := make(map[string]bool)
	walk(t, func(path string) {
		switch slashed := filepath.ToSlash(path); {
		case strings.Contains(slashed, "/mutants/") && strings.HasSuffix(path, ".go"):
			mutants.WriteString(read(t, path))
		case strings.Contains(slashed, "/sim/testdata/"):
			_, name, _ := strings.Cut(slashed, "/sim/testdata/")
			scripts[strings.TrimSuffix(name, ".txt")] = true
		}
	})
	list := regexp.MustCompile("\\b(mutants?|scripts?):? ((?:`[a-z][a-z0-9/-]*`(?:, | and )?)+)")
	span := regexp.MustCompile("`([^`]+)`")
	for page, text := range pages(t) {
		for _, found := range list.FindAllStringSubmatch(text, -1) {
			for _, name := range span.FindAllStringSubmatch(found[2], -1) {
				if strings.HasPrefix(found[1], "mutant") && !strings.Contains(mutants.String(), `"`+name[1]+`"`) {
					t.Errorf("%s: there is no mutant %s", page, name[1])
				}
				if strings.HasPrefix(found[1], "script") && !scripts[name[1]] {
					t.Errorf("%s: there is no script %s", page, name[1])
				}
			}
		}
	}
}

// A variable, a stream, a metric or a header that a page names is in the code.
func TestCitedNamesAreInTheCode(t *testing.T) {
	var code strings.Builder
	walk(t, func(path string) {
		if filepath.Ext(path) == ".go" && !strings.HasPrefix(filepath.Base(path), "citations") || filepath.Base(path) == "Taskfile.yml" {
			code.WriteString(read(t, path))
		}
	})
	text := code.String()
	names := regexp.MustCompile(`\b(?:REPLHUB_[A-Z_]*[A-Z]|replhub_[a-z_]*[a-z]|Replhub-[A-Z][A-Za-z-]*[a-z])\b`)
	// Variables of capture, apply and push are made of their flags, and a member of an
	// example is not of the code.
	made := regexp.MustCompile(`^(?:REPLHUB_(?:CAPTURE|APPLY|PUSH)|replhub_user_profile|replhub_inbox)`)
	for page, words := range pages(t) {
		for _, name := range names.FindAllString(words, -1) {
			short := strings.TrimPrefix(name, "REPLHUB_")
			if !made.MatchString(name) && !strings.Contains(text, name) && !strings.Contains(text, `"`+short+`"`) {
				t.Errorf("%s: the code has no %s", page, name)
			}
		}
	}
}

// A Go name that a page cites as Type.Member or package.Name is exported by one of the
// public packages.
func TestCitedGoNamesExist(t *testing.T) {
	exist := exportedNames(t)
	cited := regexp.MustCompile("`(?:replhub\\.|[a-z]+: )?((?:[a-z]+|[A-Z]\\w*)\\.[A-Z]\\w*)(?:\\([^`]*\\))?`")
	// Names of other modules and of the language.
	others := regexp.MustCompile(`^(?:sql|pgx|json|time|nats|CONSUMER)\.`)
	for page, text := range pages(t) {
		for _, found := range cited.FindAllStringSubmatch(text, -1) {
			if !others.MatchString(found[1]) && !exist[found[1]] {
				t.Errorf("%s: no public package has %s", page, found[1])
			}
		}
	}
}

// exportedNames are the names of the packages as package.Name, and the fields and
// methods of their types as Type.Member.
func exportedNames(t *testing.T) map[string]bool {
	t.Helper()
	exist := make(map[string]bool)
	walk(t, func(path string) {
		if filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") || strings.Contains(filepath.ToSlash(path), "/mutants/") {
			return
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			addDecl(exist, file.Name.Name, decl)
		}
	})
	return exist
}

func addDecl(exist map[string]bool, pkg string, decl ast.Decl) {
	switch decl := decl.(type) {
	case *ast.FuncDecl:
		if decl.Recv == nil {
			exist[pkg+"."+decl.Name.Name] = true
			return
		}
		receiver := decl.Recv.List[0].Type
		if star, ok := receiver.(*ast.StarExpr); ok {
			receiver = star.X
		}
		if name, ok := receiver.(*ast.Ident); ok {
			exist[name.Name+"."+decl.Name.Name] = true
		}
	case *ast.GenDecl:
		for _, spec := range decl.Specs {
			addSpec(exist, pkg, spec)
		}
	}
}

func addSpec(exist map[string]bool, pkg string, spec ast.Spec) {
	switch spec := spec.(type) {
	case *ast.ValueSpec:
		for _, name := range spec.Names {
			exist[pkg+"."+name.Name] = true
		}
	case *ast.TypeSpec:
		exist[pkg+"."+spec.Name.Name] = true
		fields := new(ast.FieldList)
		switch of := spec.Type.(type) {
		case *ast.StructType:
			fields = of.Fields
		case *ast.InterfaceType:
			fields = of.Methods
		}
		for _, field := range fields.List {
			for _, name := range field.Names {
				exist[spec.Name.Name+"."+name.Name] = true
			}
		}
	}
}

// docs/design.md gives the reason for each module that go.mod requires directly.
func TestEachDependencyHasItsReason(t *testing.T) {
	_, table, found := strings.Cut(read(t, "design.md"), "## Dependencies")
	if !found {
		t.Fatal("docs/design.md has no section Dependencies")
	}
	direct := regexp.MustCompile(`(?m)^\t(\S+) v\S+$`)
	version := regexp.MustCompile(`/(?:v\d+|libraries)$`)
	for _, line := range direct.FindAllStringSubmatch(read(t, filepath.Join(root, "go.mod")), -1) {
		parts := strings.Split(version.ReplaceAllString(line[1], ""), "/")
		if !strings.Contains(table, parts[len(parts)-1]) && (parts[0] == "github.com" || !strings.Contains(table, strings.Join(parts[:2], "/"))) {
			t.Errorf("docs/design.md does not say why the project requires %s", line[1])
		}
	}
}
