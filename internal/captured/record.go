package captured

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"

	"github.com/replhub/replhub/subjects"
)

// ErrNewer means that a newer version of replhub wrote a record, in a form that this
// version does not know.
var ErrNewer = errors.New("a newer replhub wrote the record of this capture; upgrade this one")

// ErrForeign means that the newest event of the entity of a capture's records is none of
// them: another publisher wrote it.
var ErrForeign = errors.New("the newest event is no record of a capture: entities that begin with " + prefix + " are reserved; stop the program that publishes it, and start the capture once with --resync")

const (
	form = 1
	// prefix begins the entity of every capture's records.
	prefix = "capture-"
	// maxName is the longest name of an entity.
	maxName = 63
)

// Record is how far a slot is captured.
type Record struct {
	Form int `json:"v"`
	// ID is the record's own, and Writer the process that wrote it, for people.
	ID     string `json:"id"`
	Writer string `json:"writer,omitempty"`
	// System is the identifier of the database cluster, Timeline its timeline when the
	// record was written.
	System   string `json:"system"`
	Timeline int32  `json:"timeline"`
	// Position is the last change that is stored in ingest up to the sequence From. From
	// 0 means the sequence of the record.
	Position Position `json:"position"`
	From     uint64   `json:"from,omitempty"`
	// Last is the transaction that Position was in, as the log had it, if that was known.
	// A database whose log has another one there is none that these changes are from.
	Last *Transaction `json:"last,omitempty"`
	// Confirm is how far the slot may be confirmed: no change before it is missing.
	Confirm LSN `json:"confirm"`
	// Lift is what versions have on top of their LSN.
	Lift uint64 `json:"lift,omitempty"`
	// Resync says that every row is being published again, and not all are stored yet.
	Resync bool `json:"resync,omitempty"`
	// WentBack says that the database was found behind what is stored. Its log grows past
	// that place again, so it is noted; a resync clears it.
	WentBack bool `json:"went_back,omitempty"`
	// Entities are those of the changes that may be stored behind From, ascending.
	Entities []string `json:"entities,omitempty"`
	// Truncated are the tables that were truncated, which ingest cannot express,
	// ascending. A resync clears them.
	Truncated []string `json:"truncated,omitempty"`
	// LeftOut are the tables of which changes could not become events, ascending. A resync
	// clears them.
	LeftOut []LeftOut `json:"left_out,omitempty"`
	// Altered are columns whose values changed in all rows without a change in the log. A
	// resync clears them.
	Altered []Altered `json:"altered,omitempty"`
}

// Altered is a column that was added, dropped, or given another type.
type Altered struct {
	// Table is "schema.table", Entity that of its rows.
	Table  string `json:"table"`
	Entity string `json:"entity"`
	Column string `json:"column"`
	// How is "added", "dropped" or "retyped".
	How string `json:"how"`
}

// maxAltered bounds the number of Altered; the oldest ones go.
const maxAltered = 200

// Transaction is a transaction in a database's log.
type Transaction struct {
	Commit LSN    `json:"commit"`
	XID    uint32 `json:"xid"`
	// Time is that of the commit, in microseconds since 2000.
	Time int64 `json:"time"`
}

// LeftOut are changes of a table that could not become events.
type LeftOut struct {
	// Table is "schema.table", or what else the changes were of.
	Table string `json:"table"`
	// Changes is how many there were; At is the place of the last one, and Why what was
	// wrong with it, without a value of the row.
	Changes uint64   `json:"changes"`
	At      Position `json:"at"`
	Why     string   `json:"why"`
}

// maxWhy bounds the text of a LeftOut, in bytes, and maxLeftOut their number.
const (
	maxWhy     = 300
	maxLeftOut = 200
	otherNames = "other tables"
)

// Entity is the entity of a slot's records. A slot's name has lower-case letters, digits
// and underscores.
func Entity(slot string) string {
	if name := prefix + slot; len(name) <= maxName {
		return name
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(slot)) // a hash takes everything
	sum := strconv.FormatUint(h.Sum64(), 36)
	return prefix + slot[:maxName-len(prefix)-1-len(sum)] + "-" + sum
}

// DefaultSlot is the slot of a service that names none.
func DefaultSlot(service string) string {
	name := "replhub_" + strings.ReplaceAll(service, "-", "_")
	return name[:min(len(name), maxSlot)]
}

// maxSlot is the longest name of a slot, in bytes.
const maxSlot = 63

// ValidSlot reports whether PostgreSQL takes a slot's name.
func ValidSlot(slot string) bool {
	return slot != "" && len(slot) <= maxSlot && strings.Trim(slot, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

// Reserved reports whether only records of captures may have an entity.
func Reserved(entity string) bool { return strings.HasPrefix(entity, prefix) }

// Subject is the subject of a slot's records.
func Subject(slot string) string { return subjectOf(Entity(slot)) }

func subjectOf(entity string) string { return "db." + entity + "." + subjects.Update.String() }

// IsRecord reports whether a subject of ingest is that of a capture's records. Another
// publisher may write there too: Read tells by the event.
func IsRecord(subject string) bool {
	return strings.HasPrefix(subject, "db."+prefix) && strings.HasSuffix(subject, "."+subjects.Update.String())
}

// Encode returns the payload of a record.
func (r Record) Encode() ([]byte, error) {
	r.Form = form
	return json.Marshal(r)
}

// Decode reads the payload of a record. It refuses one of a newer form with ErrNewer, and
// what is no record with ErrForeign.
func Decode(data []byte) (Record, error) {
	var of struct {
		Form int `json:"v"`
	}
	if err := json.Unmarshal(data, &of); err != nil {
		return Record{}, fmt.Errorf("%w: %w", ErrForeign, err)
	}
	if of.Form > form {
		return Record{}, fmt.Errorf("%w: it has version %d, and this replhub knows %d", ErrNewer, of.Form, form)
	}
	var r Record
	if err := json.Unmarshal(data, &r); err != nil {
		return Record{}, fmt.Errorf("%w: %w", ErrForeign, err)
	}
	if r.Form != form || r.ID == "" || r.System == "" {
		return Record{}, ErrForeign
	}
	return r, nil
}

// claim is the record that fences the writer of r, which is stored at seq. What is
// stored behind From is not known yet, so the place to read from stays.
func (r Record) claim(seq uint64, id, writer string) Record {
	if r.From == 0 {
		r.From = seq
	}
	r.ID, r.Writer = id, writer
	return r
}

// Settled is the record that says that all changes up to a position are stored, and
// that nothing else was sent.
func (r Record) Settled(id string, at Position, confirm LSN) Record {
	r.ID, r.From = id, 0
	r.Position, r.Confirm = at, max(r.Confirm, confirm)
	if r.Last != nil && r.Last.Commit != at.Commit {
		r.Last = nil
	}
	return r
}

// WithEntity is the record with one more entity.
func (r Record) WithEntity(name string) Record {
	at, found := slices.BinarySearch(r.Entities, name)
	if !found {
		r.Entities = slices.Insert(slices.Clone(r.Entities), at, name)
	}
	return r
}

// WithTruncated is the record with one more table that was truncated.
func (r Record) WithTruncated(table string) Record {
	at, found := slices.BinarySearch(r.Truncated, table)
	if !found {
		r.Truncated = slices.Insert(slices.Clone(r.Truncated), at, table)
	}
	return r
}

// HasLeftOut reports whether the record says already that changes of a table were left
// out.
func (r Record) HasLeftOut(table string) bool {
	_, found := r.leftOut(table)
	if !found && len(r.LeftOut) >= maxLeftOut {
		_, found = r.leftOut(otherNames)
	}
	return found
}

func (r Record) leftOut(table string) (at int, found bool) {
	return slices.BinarySearchFunc(r.LeftOut, table, func(l LeftOut, table string) int { return strings.Compare(l.Table, table) })
}

// WithLeftOut is the record with more changes that were left out. What the record has
// already, because the changes came again, it does not count twice.
func (r Record) WithLeftOut(more LeftOut) Record {
	at, found := r.leftOut(more.Table)
	if !found && len(r.LeftOut) >= maxLeftOut && more.Table != otherNames {
		more.Table = otherNames
		return r.WithLeftOut(more)
	}
	more.Why = strings.ToValidUTF8(more.Why[:min(len(more.Why), maxWhy)], "")
	r.LeftOut = slices.Clone(r.LeftOut)
	switch {
	case !found:
		r.LeftOut = slices.Insert(r.LeftOut, at, more)
	case more.At.Compare(r.LeftOut[at].At) > 0:
		more.Changes += r.LeftOut[at].Changes
		r.LeftOut[at] = more
	}
	return r
}

// WithAltered is the record with one more column.
func (r Record) WithAltered(column Altered) Record {
	if slices.Contains(r.Altered, column) {
		return r
	}
	r.Altered = append(slices.Clone(r.Altered), column)
	r.Altered = r.Altered[max(0, len(r.Altered)-maxAltered):]
	return r
}

// Mark is the value of the header Replhub-Captured of a change: the entity of the
// capture's records and the position.
func Mark(entity string, at Position) string {
	return string(at.append(append(append(make([]byte, 0, len(entity)+40), entity...), ' ')))
}

// OwnMark returns the position in a change's header if the change is of this capture.
func OwnMark(entity, value string) (Position, bool, error) {
	rest, own := strings.CutPrefix(value, entity+" ")
	if !own {
		return Position{}, false, nil
	}
	at, err := parsePosition(rest)
	return at, err == nil, err
}
