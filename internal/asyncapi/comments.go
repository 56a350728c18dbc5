package asyncapi

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// comments are those of a package's source: of types ("Interest"), fields
// ("Interest.Entity") and constants ("HeaderKey").
type comments struct {
	of map[string]string
	// values are the string constants by name.
	values map[string]string
	// names are the names of the constants in their order.
	names []string
}

// readComments reads the Go files of a folder, tests apart.
func readComments(folder string) (*comments, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		return nil, err
	}
	c := &comments{of: make(map[string]string), values: make(map[string]string)}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ParseComments)
		if err != nil {
			return nil, fmt.Errorf("read the comments of %s: %w", name, err)
		}
		for _, d := range file.Decls {
			if general, ok := d.(*ast.GenDecl); ok {
				c.declaration(general)
			}
		}
	}
	return c, nil
}

func (c *comments) declaration(d *ast.GenDecl) {
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			c.of[spec.Name.Name] = first(text(spec.Doc), text(d.Doc))
			if structure, ok := spec.Type.(*ast.StructType); ok {
				c.fields(spec.Name.Name, structure)
			}
		case *ast.ValueSpec:
			c.constants(d, spec)
		}
	}
}

// fields notes the comments of fields. Fields of one line share theirs, and a field
// without one that follows such a line at once has none.
func (c *comments) fields(of string, structure *ast.StructType) {
	for _, f := range structure.Fields.List {
		for _, name := range f.Names {
			c.of[of+"."+name.Name] = first(text(f.Doc), text(f.Comment))
		}
	}
}

func (c *comments) constants(d *ast.GenDecl, spec *ast.ValueSpec) {
	for i, name := range spec.Names {
		doc := first(text(spec.Doc), text(spec.Comment))
		if doc == "" && len(d.Specs) == 1 {
			doc = text(d.Doc)
		}
		c.of[name.Name] = doc
		if i >= len(spec.Values) {
			continue
		}
		if literal, ok := spec.Values[i].(*ast.BasicLit); ok && literal.Kind == token.STRING {
			if value, err := strconv.Unquote(literal.Value); err == nil {
				c.values[name.Name] = value
				c.names = append(c.names, name.Name)
			}
		}
	}
}

// valued are the constants whose names begin with a prefix: their values, in order.
func (c *comments) valued(prefix string) []string {
	var found []string
	for _, name := range c.names {
		if strings.HasPrefix(name, prefix) {
			found = append(found, c.values[name])
		}
	}
	return found
}

// meaning is the comment of the constant with a prefix and a value.
func (c *comments) meaning(prefix, value string) string {
	for _, name := range c.names {
		if strings.HasPrefix(name, prefix) && c.values[name] == value {
			return c.of[name]
		}
	}
	return ""
}

// text is a comment in one line.
func text(group *ast.CommentGroup) string {
	if group == nil {
		return ""
	}
	return strings.Join(strings.Fields(group.Text()), " ")
}

func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// Constants are the string constants of a package by name, of the source in a folder.
func Constants(folder string) (map[string]string, error) {
	c, err := readComments(folder)
	if err != nil {
		return nil, err
	}
	return c.values, nil
}
