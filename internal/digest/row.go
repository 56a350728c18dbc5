package digest

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"strings"

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
	below   map[string]*level
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
			if at.below == nil {
				at.below = map[string]*level{}
			}
			if at.below[name] == nil {
				at.below[name] = &level{}
			}
			at = at.below[name]
		}
		at.columns = append(at.columns, n)
	}
	return c
}

// Of returns the normal forms of a row's columns. A payload that is no object has none
// of the columns' values, and each is of a form of its own.
func (c *Columns) Of(payload []byte) []string {
	values := make([]string, len(c.all))
	c.read(c.root, payload, values)
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

func (c *Columns) read(at *level, object []byte, values []string) {
	var members map[string]json.RawMessage
	if json.Unmarshal(object, &members) != nil {
		c.blocked(at, values)
		return
	}
	for name, next := range at.below {
		raw, ok := members[name]
		if !ok {
			continue
		}
		for _, n := range next.columns {
			values[n] = Form(c.all[n].Form).Of(raw)
		}
		if next.below != nil && raw[0] != 'n' {
			c.read(next, raw, values)
		}
	}
}

// blocked are the columns whose path leads through something that has no members. What
// that is does not count: the service may not be allowed to see all of it.
func (c *Columns) blocked(at *level, values []string) {
	for _, next := range at.below {
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
