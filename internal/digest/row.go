package digest

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/replhub/replhub/internal/contract"
)

// Column says where a row has the value of a column, and its form.
type Column = contract.DigestColumn

// Columns are the columns of a row, ready to read payloads. They may be used
// concurrently.
type Columns struct {
	all  []Column
	root *level
}

// level is a level of the columns' paths.
type level struct {
	columns []int // whose path ends here
	order   []*level
	below   map[string]int // places in order
}

// NewColumns makes Columns.
func NewColumns(all []Column) *Columns {
	c := &Columns{all: all, root: &level{}}
	for n, column := range all {
		if column.Hidden {
			continue
		}
		at := c.root
		for name := range strings.SplitSeq(column.Path, ".") {
			n, known := at.below[name]
			if !known {
				if at.below == nil {
					at.below = map[string]int{}
				}
				n = len(at.order)
				at.below[name] = n
				at.order = append(at.order, &level{})
			}
			at = at.order[n]
		}
		at.columns = append(at.columns, n)
	}
	return c
}

// Of returns the normal forms of a row's columns. A payload that is no object has none
// of the columns' values, and each is of a form of its own.
func (c *Columns) Of(payload []byte) []string {
	values := make([]string, len(c.all))
	if json.Valid(payload) {
		c.read(c.root, payload, values)
	} else {
		c.blocked(c.root, values)
	}
	for n := range values {
		if values[n] == "" {
			values[n] = c.all[n].Absent
		}
		if values[n] == "" {
			values[n] = Null
		}
	}
	return values
}

// read reads the values below a level from valid JSON.
func (c *Columns) read(at *level, raw []byte, values []string) {
	found := make([][]byte, len(at.order))
	object := members(raw, func(name, value []byte) {
		if n, ok := at.place(name); ok {
			found[n] = value // of several members with one name, the last one counts
		}
	})
	if !object && !bytes.Equal(bytes.TrimSpace(raw), []byte("null")) {
		c.blocked(at, values)
		return
	}
	for n, value := range found {
		if value == nil {
			continue
		}
		next := at.order[n]
		for _, column := range next.columns {
			values[column] = Form(c.all[column].Form).Of(value)
		}
		if next.below != nil && value[0] != 'n' {
			c.read(next, value, values)
		}
	}
}

// place is the place of a member in order.
func (l *level) place(name []byte) (int, bool) {
	if inside := name[1 : len(name)-1]; bytes.IndexByte(inside, '\\') < 0 {
		n, ok := l.below[string(inside)] // no memory is needed for this conversion
		if ok || utf8.Valid(inside) {
			return n, ok
		}
	}
	n, ok := l.below[unquoted(name)]
	return n, ok
}

// blocked are the columns whose path leads through something that has no members. What
// that is does not count: the service may not be allowed to see all of it.
func (c *Columns) blocked(at *level, values []string) {
	for _, next := range at.order {
		for _, n := range next.columns {
			values[n] = Nowhere
		}
		c.blocked(next, values)
	}
}

// Hash is the hash of a row.
func Hash(key string, values []string) uint64 {
	b := make([]byte, 0, 256)
	b = binary.AppendUvarint(b, uint64(len(key)))
	b = append(b, key...)
	for _, value := range values {
		b = binary.AppendUvarint(b, uint64(len(value)))
		b = append(b, value...)
	}
	sum := sha256.Sum256(b)
	return binary.LittleEndian.Uint64(sum[:])
}

// Bucket is the bucket of a key, of many.
func Bucket(key string, many int) int {
	sum := sha256.Sum256([]byte(key))
	return int(binary.BigEndian.Uint64(sum[:]) % uint64(many))
}
