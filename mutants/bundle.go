package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Most of a mutant's time is the build of its test. A bundle is one build of many
// mutants: each mutated function stands beside the original one, which calls it when
// the environment names the mutant.

const (
	// activeVariable names the mutant that a bundled program runs.
	activeVariable = "REPLHUB_MUTANT"
	// switchPackage exists in bundles only, where mutated files import it.
	switchPackage = "internal/mutation"
	switchSource  = `// Package mutation says which mutant runs.
package mutation

import "os"

var active = os.Getenv("` + activeVariable + `")

// Is reports whether a mutant runs.
func Is(name string) bool { return active == name }
`
)

// bundle writes the files of a bundle into dir. overlay is the path of the description
// that lays them over the tree, and alone are the mutants that it cannot hold.
func bundle(dir string, chosen []mutant) (overlay string, alone []mutant, err error) {
	byFile := make(map[string][]mutant)
	for _, m := range chosen {
		byFile[m.file] = append(byFile[m.file], m)
	}
	replace := make(map[string]string)
	write := func(file, name string, source []byte) error {
		path, err := filepath.Abs(file)
		if err != nil {
			return err
		}
		replace[path] = filepath.Join(dir, name)
		return os.WriteFile(replace[path], source, 0o600)
	}
	for file, of := range byFile {
		source, err := os.ReadFile(file)
		if err != nil {
			return "", nil, err
		}
		bundled, rest, err := bundleFile(file, source, of)
		if err != nil {
			return "", nil, err
		}
		alone = append(alone, rest...)
		if err := write(file, strings.ReplaceAll(file, "/", "-"), bundled); err != nil {
			return "", nil, err
		}
	}
	if err := write(switchPackage+"/mutation.go", "mutation.go", []byte(switchSource)); err != nil {
		return "", nil, err
	}
	data, err := json.Marshal(map[string]map[string]string{"Replace": replace})
	if err != nil {
		return "", nil, err
	}
	overlay = filepath.Join(dir, "bundle.json")
	return overlay, alone, os.WriteFile(overlay, data, 0o600)
}

// insertion is text that goes into a source at an offset.
type insertion struct {
	at   int
	text string
}

// bundleFile puts the functions of mutants beside those that they mutate. rest are the
// mutants that change no function, or more than one.
func bundleFile(file string, source []byte, of []mutant) (bundled []byte, rest []mutant, err error) {
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, file, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, nil, err
	}
	offset := func(p token.Pos) int { return set.Position(p).Offset }
	insertions := []insertion{{offset(parsed.Name.End()), fmt.Sprintf("; import mutation %q", module+"/"+switchPackage)}}
	named := make(map[*ast.FuncDecl]bool)
	var variants strings.Builder
	for i, m := range of {
		at := bytes.Index(source, []byte(m.old))
		f := functionAround(parsed, offset, at, at+len(m.old))
		if at < 0 || f == nil {
			rest = append(rest, m)
			continue
		}
		if !named[f] {
			named[f] = true
			insertions = append(insertions, nameParameters(f, offset)...)
		}
		variant := fmt.Sprintf("%sMutant%d", f.Name.Name, i)
		insertions = append(insertions, insertion{offset(f.Body.Lbrace) + 1, dispatch(f, m.name, variant)})
		text, err := renamed(string(source[offset(f.Pos()):at])+m.new+string(source[at+len(m.old):offset(f.End())]), variant)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", m.name, err)
		}
		variants.WriteString("\n" + text + "\n")
	}
	if len(rest) == len(of) {
		return source, rest, nil
	}
	return append(insert(source, insertions), variants.String()...), rest, nil
}

// module is the path of this module.
const module = "github.com/replhub/replhub"

// functionAround is the function that holds a part of a file, nil where there is none.
func functionAround(file *ast.File, offset func(token.Pos) int, from, to int) *ast.FuncDecl {
	for _, d := range file.Decls {
		if f, is := d.(*ast.FuncDecl); is && f.Body != nil && offset(f.Pos()) <= from && to <= offset(f.End()) {
			return f
		}
	}
	return nil
}

// nameParameters gives names to the receiver and the parameters that have none, so that
// they can be passed on.
func nameParameters(f *ast.FuncDecl, offset func(token.Pos) int) []insertion {
	var names []insertion
	n := 0
	for _, list := range []*ast.FieldList{f.Recv, f.Type.Params} {
		if list == nil {
			continue
		}
		for _, field := range list.List {
			if len(field.Names) == 0 {
				n++
				name := ast.NewIdent(fmt.Sprintf("p%dMutant", n))
				names = append(names, insertion{offset(field.Type.Pos()), name.Name + " "})
				field.Names = []*ast.Ident{name}
			}
			for _, name := range field.Names {
				if name.Name == "_" {
					n++
					name.Name = fmt.Sprintf("_p%dMutant", n)
					names = append(names, insertion{offset(name.Pos()) + 1, name.Name[1:]})
				}
			}
		}
	}
	return names
}

// dispatch is the statement that calls a variant of a function in its place.
func dispatch(f *ast.FuncDecl, mutant, variant string) string {
	var args []string
	for _, field := range f.Type.Params.List {
		_, variadic := field.Type.(*ast.Ellipsis)
		for _, name := range field.Names {
			if variadic {
				args = append(args, name.Name+"...")
			} else {
				args = append(args, name.Name)
			}
		}
	}
	call := variant + "(" + strings.Join(args, ", ") + ")"
	if f.Recv != nil {
		call = f.Recv.List[0].Names[0].Name + "." + call
	}
	if f.Type.Results == nil {
		return fmt.Sprintf("\nif mutation.Is(%q) { %s; return }\n", mutant, call)
	}
	return fmt.Sprintf("\nif mutation.Is(%q) { return %s }\n", mutant, call)
}

// renamed is the text of a function under another name.
func renamed(text, name string) (string, error) {
	const head = "package p\n"
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, "", head+text, parser.SkipObjectResolution)
	if err != nil {
		return "", err
	}
	for _, d := range file.Decls {
		if f, is := d.(*ast.FuncDecl); is {
			from := set.Position(f.Name.Pos()).Offset - len(head)
			return text[:from] + name + text[from+len(f.Name.Name):], nil
		}
	}
	return "", fmt.Errorf("no function: %s", text)
}

// insert puts texts into a source.
func insert(source []byte, insertions []insertion) []byte {
	slices.SortStableFunc(insertions, func(a, b insertion) int { return cmp.Compare(a.at, b.at) })
	var out bytes.Buffer
	from := 0
	for _, i := range insertions {
		out.Write(source[from:i.at])
		out.WriteString(i.text)
		from = i.at
	}
	out.Write(source[from:])
	return out.Bytes()
}
