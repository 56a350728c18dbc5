package match

import (
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/replhub/replhub/hub/internal/event"
)

// meter prices, in CEL's unit, the calls whose price in CEL does not show what
// they do: comparisons of whole trees, lists that are joined and built, texts
// that are gone through; and those that CEL prices by a type that it does not
// know of an event's values. With it the cost limit bounds the time as well.
type meter struct{}

// CallCost implements cost.ActualCostEstimator; nil leaves the price to CEL.
func (meter) CallCost(function, _ string, args []ref.Val, result ref.Val) *uint64 {
	var price int
	switch function {
	case operators.Equals, operators.NotEquals:
		// A comparison ends with the smaller side at the latest.
		price = weigh(args[1], costLimit)
		price = min(price, weigh(args[0], price))
	case operators.In, operators.OldIn:
		if _, isMap := args[1].(traits.Mapper); isMap {
			return nil
		}
		price = weigh(args[1], costLimit)
	case operators.Add:
		price = joined(args, result)
	case operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
		price = min(textWeight(args[0]), textWeight(args[1]))
	case "size", "bytes", "string", "int", "uint", "double", "timestamp", "duration", "bool":
		price = textWeight(args[0])
	default:
		return nil
	}
	cost := uint64(1 + price)
	return &cost
}

// joined prices a sum: a text by its length, and where map() or filter() adds an
// element to their result, that element. Two lists are joined without being
// gone through, which the reader that goes through the elements later pays for.
func joined(args []ref.Val, sum ref.Val) int {
	if _, building := args[0].(traits.MutableLister); building {
		return weigh(args[1], costLimit)
	}
	return textWeight(sum)
}

// textWeight is the price of going through a text; 0 of what is none.
func textWeight(v ref.Val) int {
	switch v := v.(type) {
	case types.String:
		return len(v) / textUnit
	case types.Bytes:
		return len(v) / textUnit
	default:
		return 0
	}
}

// textUnit is how many bytes of text cost as much as one value, as in CEL.
const textUnit = 10

// weigh counts the values in a tree, ten bytes of text as one. It stops soon
// after most, which a shared subtree that is met again and again may pass.
func weigh(v any, most int) int {
	switch v := v.(type) {
	case string:
		return 1 + len(v)/textUnit
	case types.String:
		return 1 + len(v)/textUnit
	case types.Bytes:
		return 1 + len(v)/textUnit
	case *event.Object:
		return weighObject(v, most)
	case object:
		return weighObject(v.source, most)
	case []any:
		n := 1
		for i := 0; i < len(v) && n <= most; i++ {
			n += weigh(v[i], most-n)
		}
		return n
	case traits.Lister:
		if raw, ok := v.Value().([]any); ok {
			return weigh(raw, most)
		}
		n := 1
		for it := v.Iterator(); n <= most && it.HasNext() == types.True; {
			n += weigh(it.Next(), most-n)
		}
		return n
	case traits.Mapper:
		n := 1
		for it := v.Iterator(); n <= most && it.HasNext() == types.True; {
			key := it.Next()
			n += weigh(key, most-n) + weigh(v.Get(key), most-n)
		}
		return n
	default:
		return 1
	}
}

func weighObject(o *event.Object, most int) int {
	n := 1
	for name, member := range o.Members() {
		if n > most {
			break
		}
		n += 1 + len(name)/textUnit + weigh(member, most-n)
	}
	return n
}
