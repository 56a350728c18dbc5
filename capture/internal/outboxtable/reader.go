package outboxtable

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/replhub/replhub/capture/internal/change"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// The headers that an event gets of a row.
const (
	headerID   = "Event-Id"
	headerType = "Event-Type"
)

// Reader makes events of the rows of one table.
type Reader struct {
	layout *Layout
	// at are the positions of the parts' columns.
	at map[string]int
	// binary says that the payload is a bytea.
	binary bool
	// generation stands above the versions of package outbox.
	generation int64
	spent      []int
}

var _ change.Outbox = (*Reader)(nil)

// NewReader makes the Reader of a table. generation is the one in force of package
// outbox's table. spent are the positions of the columns by which a row is deleted once
// its event is stored; nil leaves the rows to the service.
func NewReader(l *Layout, rel *change.Relation, generation int64, spent []int) (*Reader, error) {
	r := &Reader{layout: l, at: map[string]int{}, generation: generation, spent: spent}
	columns := map[string]int{}
	for n, c := range rel.Columns {
		columns[c.Name] = n
	}
	for part, column := range l.parts {
		if column[0] == ':' {
			continue
		}
		at, ok := columns[column]
		if !ok {
			return nil, fmt.Errorf("the outbox has no column %q for the %s of its events: name another one with --outbox %s.%s=%s=<column>", column, part, rel.Schema, rel.Name, part)
		}
		r.at[part] = at
		if part == partPayload {
			r.binary = rel.Columns[at].Type == pgtype.ByteaOID
		}
	}
	return r, nil
}

// Spent returns the columns by which a row is deleted once its event is stored; nil when
// it is not.
func (r *Reader) Spent() []int { return r.spent }

// part returns a part of a row's event; empty where it has none.
func (r *Reader) part(t change.Tuple, name string) string {
	if at, ok := r.at[name]; ok {
		return string(t[at].Text)
	}
	return strings.TrimPrefix(r.layout.parts[name], ":")
}

// Event returns the event of a row. It keeps nothing of the tuple. An error says what of
// the row is not that of an event.
func (r *Reader) Event(t change.Tuple) (contract.Emitted, error) {
	m := contract.Emitted{Entity: r.part(t, partEntity), Key: r.part(t, partKey), ContentType: r.part(t, partContentType)}
	if !r.layout.own {
		m.Entity = strings.ToLower(m.Entity)
	}
	op, err := r.op(t)
	if err != nil {
		return m, err
	}
	m.Op = op.String()
	if m.Version, err = r.version(t); err != nil {
		return m, err
	}
	if m.Header, err = r.header(t); err != nil {
		return m, err
	}
	data, err := r.payload(t)
	if err != nil {
		return m, err
	}
	if json.Valid(data) {
		m.Data = data
	} else {
		m.Bytes = data
	}
	return m, nil
}

// op is the op of a row. A row without a payload is a delete.
func (r *Reader) op(t change.Tuple) (subjects.Op, error) {
	if at, ok := r.at[partPayload]; ok && t[at].Kind == change.Null {
		return subjects.Delete, nil
	}
	value := r.part(t, partOp)
	if op, ok := r.layout.ops[value]; ok {
		return op, nil
	}
	if r.layout.parts[partOp] == "" {
		return subjects.Update, nil
	}
	word := strings.ToLower(value)
	op, err := subjects.ParseOp(word)
	if err == nil || !r.layout.lenient {
		return op, err
	}
	return opOfType(word, strings.ToLower(r.part(t, partEntity))), nil
}

// opOfType is the op of a type of event such as "created" or "order_created". The created
// or removed thing must be the entity itself: an "orderlineremoved" changes an order.
func opOfType(word, entity string) subjects.Op {
	for suffix, op := range map[string]subjects.Op{"created": subjects.Create, "deleted": subjects.Delete, "removed": subjects.Delete} {
		of, has := strings.CutSuffix(word, suffix)
		if has && (joined(of) == "" || joined(of) == joined(entity)) {
			return op
		}
	}
	return subjects.Update
}

// joined is a name without what separates its words.
func joined(name string) string {
	return strings.NewReplacer("_", "", "-", "", ".", "", " ", "", ":", "", "/", "").Replace(name)
}

func (r *Reader) version(t change.Tuple) (int64, error) {
	text := r.part(t, partVersion)
	if text == "" {
		return 0, nil
	}
	version, err := strconv.ParseInt(text, 10, 64)
	if err != nil || version < 0 {
		return 0, errors.New("the version is no whole number from 0 on")
	}
	if r.layout.own && version > 0 {
		version |= r.generation << contract.OutboxCounterBits
	}
	return version, nil
}

func (r *Reader) header(t change.Tuple) (map[string][]string, error) {
	var header map[string][]string
	if text := r.part(t, partHeader); text != "" {
		if err := json.Unmarshal([]byte(text), &header); err != nil {
			return nil, errors.New("the headers are no JSON object of lists of strings")
		}
	}
	for name, part := range map[string]string{headerID: partID, headerType: partType} {
		if value := r.part(t, part); value != "" {
			if header == nil {
				header = map[string][]string{}
			}
			header[name] = []string{value}
		}
	}
	return header, nil
}

// payload is a copy of the payload.
func (r *Reader) payload(t change.Tuple) ([]byte, error) {
	at, ok := r.at[partPayload]
	if !ok {
		return []byte(r.part(t, partPayload)), nil
	}
	text := t[at].Text
	if !r.binary {
		return bytes.Clone(text), nil
	}
	digits, ok := bytes.CutPrefix(text, []byte(`\x`))
	data := make([]byte, hex.DecodedLen(len(digits)))
	if _, err := hex.Decode(data, digits); err != nil || !ok && len(text) > 0 {
		return nil, errors.New("the payload is not in the form hex")
	}
	return data, nil
}
