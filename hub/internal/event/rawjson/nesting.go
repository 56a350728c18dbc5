package rawjson

// maxDepth is the deepest nesting that counts as JSON, as in encoding/json.
const maxDepth = 10000

// nesting is a stack of bits: whether each open container is an object. The
// first 64 levels, more than any usual payload has, need no memory.
type nesting struct {
	depth int
	low   uint64
	high  []uint64
}

// push opens a container; false when that is too deep.
func (n *nesting) push(object bool) bool {
	if n.depth == maxDepth {
		return false
	}
	word, bit := n.at(n.depth)
	if object {
		*word |= bit
	} else {
		*word &^= bit
	}
	n.depth++
	return true
}

func (n *nesting) pop() { n.depth-- }

func (n *nesting) inObject() bool {
	word, bit := n.at(n.depth - 1)
	return *word&bit != 0
}

func (n *nesting) at(level int) (word *uint64, bit uint64) {
	bit = 1 << (level % 64)
	i := level / 64
	if i == 0 {
		return &n.low, bit
	}
	for len(n.high) < i {
		n.high = append(n.high, 0)
	}
	return &n.high[i-1], bit
}
