// Package yamlconfig reads the configuration file of a command: a YAML mapping whose
// members are settings. A setting that the command does not have, a setting that is
// there twice and a value without a meaning are refused with file and line, so that no
// misspelt line is ignored in silence.
//
// A setting is a scalar, a list of scalars, or a mapping of scalars; the command's flag of
// the same name checks what the scalars mean. Anchors, tags and several documents are
// refused: a file of settings needs none of them.
package yamlconfig

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/replhub/replhub/internal/nearest"
)

// maxFile bounds a file, in bytes.
const maxFile = 1 << 20

// Setting is one member of the file.
type Setting struct {
	Name string
	// Values are the scalar, or the scalars of a list. A mapping gives "name=value" for
	// each member, in the file's order; a list as a member's value is joined by commas.
	Values []string
	// Line is where the setting stands, from 1.
	Line int
}

// Read reads a file whose settings have the known names.
func Read(path string, known []string) ([]Setting, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s: larger than %d bytes", path, maxFile)
	}
	return Parse(path, data, known)
}

// Parse is Read for a file's content; path is what errors call it.
func Parse(path string, data []byte, known []string) ([]Setting, error) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	err := dec.Decode(&doc)
	if errors.Is(err, io.EOF) {
		return nil, nil // an empty file
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var second yaml.Node
	if err := dec.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: only one document is read; remove the lines from '---' on", path)
	}
	p := parser{path: path, known: known}
	return p.document(&doc)
}

// parser turns nodes into settings.
type parser struct {
	path  string
	known []string
}

// errorf names file and line.
func (p *parser) errorf(n *yaml.Node, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %w", p.path, n.Line, fmt.Errorf(format, args...))
}

func (p *parser) document(doc *yaml.Node) ([]Setting, error) {
	if len(doc.Content) != 1 {
		return nil, nil
	}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return nil, nil // comments alone
	}
	members, err := p.members(root, "the file")
	if err != nil {
		return nil, err
	}
	settings := make([]Setting, 0, len(members))
	for _, m := range members {
		s, err := p.setting(m)
		if err != nil {
			return nil, err
		}
		settings = append(settings, s)
	}
	return settings, nil
}

// member is a name of a mapping, with its value.
type member struct {
	name      string
	at, value *yaml.Node
}

// members are those of a mapping, none of them twice.
func (p *parser) members(n *yaml.Node, what string) ([]member, error) {
	if n.Kind != yaml.MappingNode {
		return nil, p.errorf(n, "%s must be a mapping of names to values", what)
	}
	lines := make(map[string]int, len(n.Content)/2)
	members := make([]member, 0, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		at, value := n.Content[i], n.Content[i+1]
		name, err := p.scalar(at, "a name")
		if err != nil {
			return nil, err
		}
		if first, twice := lines[name]; twice {
			return nil, p.errorf(at, "%s is in line %d already; remove one", name, first)
		}
		lines[name] = at.Line
		members = append(members, member{name, at, value})
	}
	return members, nil
}

func (p *parser) setting(m member) (Setting, error) {
	if !slices.Contains(p.known, m.name) {
		return Setting{}, p.errorf(m.at, "there is no setting %q%s", m.name, p.meant(m.name))
	}
	values, err := p.values(m)
	return Setting{Name: m.name, Values: values, Line: m.at.Line}, err
}

func (p *parser) meant(name string) string {
	if near := nearest.Name(strings.ReplaceAll(name, "-", "_"), p.known, "_"); near != "" {
		return fmt.Sprintf("; did you mean %s?", near)
	}
	return ""
}

func (p *parser) values(m member) ([]string, error) {
	switch m.value.Kind {
	case yaml.SequenceNode:
		return p.list(m.value, m.name)
	case yaml.MappingNode:
		return p.pairs(m)
	default:
		value, err := p.scalar(m.value, m.name)
		return []string{value}, err
	}
}

func (p *parser) list(n *yaml.Node, name string) ([]string, error) {
	values := make([]string, 0, len(n.Content))
	for _, item := range n.Content {
		value, err := p.scalar(item, "an item of "+name)
		if err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	if len(values) == 0 {
		return nil, p.errorf(n, "%s is an empty list; leave it out", name)
	}
	return values, nil
}

func (p *parser) pairs(m member) ([]string, error) {
	members, err := p.members(m.value, m.name)
	if err != nil {
		return nil, err
	}
	if len(members) == 0 {
		return nil, p.errorf(m.value, "%s is an empty mapping; leave it out", m.name)
	}
	values := make([]string, 0, len(members))
	for _, pair := range members {
		parts, err := p.pairValue(pair)
		if err != nil {
			return nil, err
		}
		values = append(values, pair.name+"="+strings.Join(parts, ","))
	}
	return values, nil
}

func (p *parser) pairValue(pair member) ([]string, error) {
	if pair.value.Kind == yaml.SequenceNode {
		return p.list(pair.value, pair.name)
	}
	value, err := p.scalar(pair.value, pair.name)
	return []string{value}, err
}

// scalar is the text of a scalar as the file has it: a flag's own parser decides what a
// number or a duration is.
func (p *parser) scalar(n *yaml.Node, what string) (string, error) {
	switch {
	case n.Anchor != "" || n.Kind == yaml.AliasNode:
		return "", p.errorf(n, "%s has an anchor or an alias; write the value out", what)
	case n.Kind != yaml.ScalarNode:
		return "", p.errorf(n, "%s must be a text, a number, or true or false", what)
	case n.Style&yaml.TaggedStyle != 0:
		return "", p.errorf(n, "%s has a tag %s; remove it", what, n.Tag)
	case n.Tag == "!!null":
		return "", p.errorf(n, "%s has no value; write one, or leave it out", what)
	}
	return n.Value, nil
}
