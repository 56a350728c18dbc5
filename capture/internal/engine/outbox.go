package engine

import (
	"encoding/json"
	"fmt"

	"github.com/jackc/pglogrepl"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/internal/captured"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// fromMessage names the messages of the log where a table is expected.
const fromMessage = "pg_logical_emit_message"

// emitted takes a message that a transaction wrote into the log (pg_logical_emit_message).
func (d *decoder) emitted(lsn captured.LSN, data []byte) error {
	parsed, err := pglogrepl.Parse(data)
	if err != nil {
		return fmt.Errorf("read a message of the log: %w", err)
	}
	msg, ok := parsed.(*pglogrepl.LogicalDecodingMessage)
	if !ok {
		return errShort
	}
	if !msg.Transactional || !d.inside || d.outbox == "" || msg.Prefix != d.outbox {
		return nil
	}
	at := d.place(lsn)
	if at.Compare(d.stored) <= 0 {
		return nil
	}
	e, err := emittedEvent(msg.Content)
	if err != nil {
		// It is committed, and will never be another one: it holds nothing up.
		d.counts.Refused.Add(1)
		d.alarm(alarm{leftOut: captured.LeftOut{Table: fromMessage, Changes: 1, At: at, Why: err.Error()}})
		return nil
	}
	e.at, e.within, e.from = at, d.began, fromMessage
	d.emit(e)
	return nil
}

// enqueued takes a row that was inserted into an outbox. stored says that its event is in
// ingest already: then its row may still have to be deleted.
func (d *decoder) enqueued(r *relation, at captured.Position, stored bool) {
	row := d.change.new
	m, err := r.outbox.Event(row)
	var e event
	if err == nil {
		e, err = eventOf(m)
	}
	switch gone := spentRow(r, row); {
	case err != nil && !stored:
		d.counts.Refused.Add(1)
		d.alarm(alarm{leftOut: captured.LeftOut{Table: r.name(), Changes: 1, At: at, Why: err.Error()}})
	case err == nil && !stored:
		e.at, e.within, e.from, e.spent = at, d.began, r.name(), gone
		d.emit(e)
	case err == nil && gone != nil:
		d.spend(gone)
	}
}

// emittedEvent reads the content of a message.
func emittedEvent(content []byte) (event, error) {
	var m contract.Emitted
	if err := json.Unmarshal(content, &m); err != nil {
		return event{}, fmt.Errorf("not the JSON of an event: %w", err)
	}
	return eventOf(m)
}

// eventOf makes an event of what a transaction wrote.
func eventOf(m contract.Emitted) (event, error) {
	entity, err := subjects.ParseName(m.Entity)
	if err != nil {
		return event{}, fmt.Errorf("entity: %w", err)
	}
	if captured.Reserved(m.Entity) {
		return event{}, fmt.Errorf("entity %s: the names that begin so are those of the records of captures; choose another one", m.Entity)
	}
	op, err := subjects.ParseOp(m.Op)
	if err != nil {
		return event{}, fmt.Errorf("op: %w", err)
	}
	e := event{
		entity: entity.String(), op: op, key: m.Key, version: uint64(max(m.Version, 0)),
		contentType: m.ContentType, header: m.Header, data: m.Data,
	}
	if len(m.Bytes) > 0 {
		e.data = m.Bytes
	} else if e.contentType == "" && len(m.Data) > 0 {
		e.contentType = contentJSON
	}
	return e, replhub.Event{
		Entity: m.Entity, Op: replhub.Op(m.Op), Key: m.Key, Version: m.Version, ContentType: e.contentType, Header: m.Header, Data: e.data,
	}.Validate()
}
