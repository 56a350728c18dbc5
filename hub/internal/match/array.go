package match

import "github.com/replhub/replhub/hub/internal/event/rawjson"

// appendBelow appends the part of a member's value that n keeps, if any. The value is
// valid, because a walk returned it.
func (n *node) appendBelow(out, value []byte) []byte {
	switch value[0] {
	case '{':
		start := len(out)
		if out, _ = n.append(out, value); len(out) == start+len("{}") {
			out = out[:start]
		}
	case '[':
		out = n.appendArray(out, value)
	}
	return out
}

// openArrays is how many arrays in arrays need no memory of their own.
const openArrays = 8

// appendArray appends the parts of an array's elements that n keeps, and those of
// nested arrays. It handles nested arrays in one pass, without recursion: a payload
// may nest them ten thousand deep.
func (n *node) appendArray(out, data []byte) []byte {
	var few [openArrays]int
	open := few[:0] // where each open array would be cut off again
	for i := 0; i < len(data); {
		switch data[i] {
		case '[':
			open = append(open, len(out))
			out = append(separate(out, len(open) > 1), '[')
			i++
		case ']':
			start := open[len(open)-1]
			open = open[:len(open)-1]
			if out[len(out)-1] == '[' {
				out = out[:start] // the array would be empty
			} else {
				out = append(out, ']')
			}
			i++
		case '{':
			end := i + rawjson.ValueEnd(data[i:])
			before := len(out)
			out = separate(out, true)
			start := len(out)
			if out = n.appendBelow(out, data[i:end]); len(out) == start {
				out = out[:before]
			}
			i = end
		case ',', ' ', '\t', '\r', '\n':
			i++
		default:
			i += rawjson.ValueEnd(data[i:]) // a scalar has no members
		}
	}
	return out
}

// separate appends a comma where an element stands before, within an array.
func separate(out []byte, within bool) []byte {
	if within && out[len(out)-1] != '[' {
		return append(out, ',')
	}
	return out
}
