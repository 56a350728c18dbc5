package match

import (
	"errors"

	"github.com/replhub/replhub/hub/internal/event/rawjson"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// projection keeps some fields of a JSON payload. Names come in the order of
// the interest's fields, values byte for byte as they were. A path that meets an
// array goes on in each of its elements, also through arrays in arrays. What a
// path does not lead to is left out: a field that is missing, one below a scalar
// or null, an element that is no object or has none of the fields, and every
// object and array that would then hold nothing. Of members of the same name the
// last counts.
type projection struct {
	root *node
}

// node is one name's place in the tree of fields: a leaf keeps the whole value,
// others what is below.
type node struct {
	// prefix is the name as JSON with its colon.
	prefix   []byte
	children []*node
	byName   map[string]int
}

func newNode() *node { return &node{byName: map[string]int{}} }

// add puts a path into the tree; false when the path, one above it or one below it is
// already there.
func (n *node) add(p path) bool {
	for depth, name := range p {
		last := depth == len(p)-1
		i, found := n.byName[name]
		if found && (last || n.children[i].leaf()) {
			return false
		}
		if !found {
			i = len(n.children)
			n.byName[name] = i
			child := newNode()
			child.prefix = append(appendText(nil, name), ':')
			n.children = append(n.children, child)
		}
		n = n.children[i]
	}
	return true
}

func (n *node) leaf() bool { return len(n.children) == 0 }

// Errors for payloads from which no fields can be taken.
var (
	errNotJSON   = errors.New("the payload is not JSON, so that its fields cannot be selected")
	errNotObject = errors.New("the payload is not a JSON object, so that its fields cannot be selected")
)

// project gives the payload's fields. On an error the event is dead for the
// reason given. A delete may come without a payload and stays so.
func (p *projection) project(op subjects.Op, data []byte) (kept []byte, reason string, err error) {
	if len(data) == 0 && op == subjects.Delete {
		return data, "", nil
	}
	// Room for the payload and for names that are longer here than there,
	// which takes an unusual payload; append grows it then.
	out, kind := p.root.append(make([]byte, 0, len(data)+len("{}")), data)
	switch kind {
	case rawjson.Invalid:
		return nil, contract.ReasonNotJSON, errNotJSON
	case rawjson.Other:
		return nil, contract.ReasonNotObject, errNotObject
	case rawjson.Object:
	}
	return out, "", nil
}

// stackChildren is how many children's values need no memory of their own.
const stackChildren = 16

// append appends the part of an object that n keeps. Its recursion follows the tree
// of fields, not the payload.
func (n *node) append(out, data []byte) ([]byte, rawjson.Kind) {
	var few [stackChildren][]byte
	values := few[:]
	if len(n.children) > len(few) {
		values = make([][]byte, len(n.children))
	}
	m := rawjson.Walk(data)
	for m.Next() {
		if i, ok := n.child(m.Name()); ok {
			values[i] = m.Value()
		}
	}
	out = append(out, '{')
	open := len(out)
	for i, child := range n.children {
		if len(values[i]) == 0 {
			continue
		}
		before := len(out)
		if before > open {
			out = append(out, ',')
		}
		out = append(out, child.prefix...)
		if child.leaf() {
			out = append(out, values[i]...)
			continue
		}
		start := len(out)
		if out = child.appendBelow(out, values[i]); len(out) == start {
			out = out[:before]
		}
	}
	return append(out, '}'), m.Kind()
}

// child finds a member's place by its raw name.
func (n *node) child(raw []byte) (int, bool) {
	if name, ok := rawjson.Plain(raw); ok {
		i, found := n.byName[string(name)]
		return i, found
	}
	i, found := n.byName[rawjson.Text(raw)]
	return i, found
}

// appendText appends s as a JSON string with the fewest escapes that JSON
// allows.
func appendText(out []byte, s string) []byte {
	const hex = "0123456789abcdef"
	out = append(out, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			out = append(out, '\\', c)
		case c < ' ':
			out = append(out, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			out = append(out, c)
		}
	}
	return append(out, '"')
}
