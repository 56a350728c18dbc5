package inbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// pathNode is a level of the columns' paths.
type pathNode struct {
	// columns are the indexes of those whose path ends here.
	columns []int
	below   map[string]*pathNode
	// apart says of a member that it is no column's, and not told of either: the
	// key's.
	apart bool
}

func (n *pathNode) child(name string) *pathNode {
	next := n.below[name]
	if next == nil {
		next = &pathNode{}
		if n.below == nil {
			n.below = map[string]*pathNode{}
		}
		n.below[name] = next
	}
	return next
}

// newPaths is the tree of the columns' paths. keyColumn's member, and "id", are
// the key's.
func newPaths(keyColumn string, columns []column) *pathNode {
	root := &pathNode{}
	for _, name := range []string{"id", keyColumn} {
		root.child(name).apart = true
	}
	for n, c := range columns {
		at := root
		for _, name := range c.path {
			at = at.child(name)
		}
		at.columns = append(at.columns, n)
	}
	return root
}

// found is a payload, seen through the columns' paths.
type found struct {
	// members are the columns' values as JSON; nil where there is none.
	members []json.RawMessage
	// blocked says why a path leads nowhere: a level of it has no members.
	blocked []error
	// unmapped are the paths of members that no column takes.
	unmapped []string
	// unset are columns of which a null object, above, says that they are not set.
	unset []bool
}

// look finds the columns' members in an object as JSON. Of two members of one name
// the last counts, as everywhere in replhub.
func (n *pathNode) look(payload []byte, columns int) (found, error) {
	f := found{members: make([]json.RawMessage, columns)}
	err := n.into(payload, "", &f)
	return f, err
}

func (n *pathNode) into(object []byte, prefix string, f *found) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(object, &members); err != nil {
		return notAnObject(err)
	}
	if members == nil {
		return errors.New("payload as JSON: null is no entity")
	}
	for name, raw := range members {
		next := n.below[name]
		if next == nil {
			f.unmapped = append(f.unmapped, prefix+name)
			continue
		}
		for _, column := range next.columns {
			f.members[column] = raw
		}
		if next.below == nil {
			continue
		}
		switch v := newJSONValue(raw); v.kind {
		case jsonObject:
			if err := next.into(raw, prefix+name+".", f); err != nil {
				return err
			}
		case jsonNull:
			next.each(func(column int) {
				f.unset = grown(f.unset, len(f.members))
				f.unset[column] = true
			})
		default:
			err := fmt.Errorf("the payload has %s at %q, through which the column's path leads; a Column of that path with a Convert function can take it", v.kind, prefix+name)
			next.each(func(column int) {
				f.blocked = grown(f.blocked, len(f.members))
				f.blocked[column] = err
			})
		}
	}
	return nil
}

// each calls visit for the columns below n.
func (n *pathNode) each(visit func(column int)) {
	for _, next := range n.below {
		for _, column := range next.columns {
			visit(column)
		}
		next.each(visit)
	}
}

func grown[T any](s []T, n int) []T {
	if s == nil {
		return make([]T, n)
	}
	return s
}

func notAnObject(err error) error {
	if other, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("payload as JSON: %s is no entity, which is an object", strings.TrimSpace(other.Value))
	}
	return fmt.Errorf("payload as JSON: %w", err)
}

// decodeNumbers decodes one JSON value, numbers as they are written.
func decodeNumbers(raw []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(into); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one value")
	}
	return nil
}
