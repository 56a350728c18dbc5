package match

import (
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/replhub/replhub/hub/internal/event"
)

// adapter gives an event's values to CEL. It differs from CEL's own in that objects
// are iterated in the order of their names: in Go's random order the cost, and
// possibly the result, of a macro would vary.
type adapter struct{}

// NativeToValue implements types.Adapter.
func (a adapter) NativeToValue(v any) ref.Val {
	switch v := v.(type) {
	case *event.Object:
		return object{types.NewStringInterfaceMap(a, v.Members()), v}
	case []any:
		return types.NewDynamicList(a, v)
	default:
		return types.DefaultTypeAdapter.NativeToValue(v)
	}
}

// object is a JSON object as a CEL map. Of the map it embeds it must not
// promote Fold, which keeps no order; the interface has none.
type object struct {
	traits.Mapper
	source *event.Object
}

// Iterator implements traits.Iterable.
func (o object) Iterator() traits.Iterator { return &names{left: o.source.Names()} }

// names goes over an object's names. Of a ref.Val it is only what CEL asks of
// an iterator.
type names struct {
	traits.Iterator
	left []string
}

// HasNext implements traits.Iterator.
func (n *names) HasNext() ref.Val { return types.Bool(len(n.left) > 0) }

// Next implements traits.Iterator.
func (n *names) Next() ref.Val {
	if len(n.left) == 0 {
		return nil
	}
	name := n.left[0]
	n.left = n.left[1:]
	return types.String(name)
}
