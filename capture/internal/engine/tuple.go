package engine

import (
	"bytes"
	"encoding/binary"
	"errors"

	"github.com/replhub/replhub/capture/internal/change"
)

// The kinds of messages of pgoutput that come once a row. They are read here, without an
// allocation for each column; pglogrepl reads the others.
const (
	msgBegin    = 'B'
	msgCommit   = 'C'
	msgInsert   = 'I'
	msgUpdate   = 'U'
	msgDelete   = 'D'
	msgRelation = 'R'
	msgTruncate = 'T'
	msgMessage  = 'M'
)

var errShort = errors.New("a message of the replication stream is cut off")

// words reads a message. After the first read beyond its end, all reads are zero and
// short is set.
type words struct {
	rest  []byte
	short bool
}

func (w *words) take(n int) []byte {
	if n < 0 || n > len(w.rest) {
		w.short, w.rest = true, nil
		return make([]byte, min(max(n, 8), 8))
	}
	taken := w.rest[:n]
	w.rest = w.rest[n:]
	return taken
}

func (w *words) byte() byte     { return w.take(1)[0] }
func (w *words) uint16() uint16 { return binary.BigEndian.Uint16(w.take(2)) }
func (w *words) uint32() uint32 { return binary.BigEndian.Uint32(w.take(4)) }
func (w *words) uint64() uint64 { return binary.BigEndian.Uint64(w.take(8)) }

// tuple reads the columns of a row into t.
func (w *words) tuple(t change.Tuple) change.Tuple {
	t = t[:0]
	for range w.uint16() {
		switch kind := w.byte(); kind {
		case 'n':
			t = append(t, change.Value{Kind: change.Null})
		case 'u':
			t = append(t, change.Value{Kind: change.Unchanged})
		case 't':
			n := int(int32(w.uint32()))
			t = append(t, change.Value{Kind: change.Text, Text: w.take(n)})
		default:
			w.short = true
		}
		if w.short {
			return t
		}
	}
	return t
}

// rowChange is a message about one row. Its tuples are used again for the next message.
type rowChange struct {
	relation uint32
	// old is the old row: the columns of the replica identity, or the full row. hasOld
	// says that the message has one, hasNew that it has a new row.
	old, new       change.Tuple
	hasOld, hasNew bool
}

// read reads an insert, update or delete.
func (c *rowChange) read(data []byte) error {
	w := words{rest: data[1:]}
	c.relation = w.uint32()
	c.hasOld, c.hasNew = false, false
	for !w.short && len(w.rest) > 0 {
		switch w.byte() {
		case 'K', 'O':
			c.old, c.hasOld = w.tuple(c.old), true
		case 'N':
			c.new, c.hasNew = w.tuple(c.new), true
		default:
			return errShort
		}
	}
	if w.short || c.hasNew != (data[0] != msgDelete) || data[0] == msgDelete && !c.hasOld {
		return errShort
	}
	return nil
}

// complete replaces unchanged values of the new row by those of the old row, and returns
// the indexes of the columns that the old row does not have.
func (c *rowChange) complete(rel *change.Relation, missing []int) []int {
	missing = missing[:0]
	for i := range c.new {
		if c.new[i].Kind != change.Unchanged {
			continue
		}
		if c.hasOld && i < len(c.old) && c.old[i].Kind != change.Unchanged && (rel.Identity == 'f' || rel.Columns[i].Identity) {
			c.new[i] = c.old[i]
			continue
		}
		missing = append(missing, i)
	}
	return missing
}

// sameColumns reports whether two tuples have equal values in some columns.
func sameColumns(a, b change.Tuple, columns []int) bool {
	for _, i := range columns {
		if a[i].Kind != b[i].Kind || !bytes.Equal(a[i].Text, b[i].Text) {
			return false
		}
	}
	return true
}
