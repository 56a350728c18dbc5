package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/internal/contract"
)

// errNoTable is for what needs the tables of an outbox that has none.
var errNoTable = errors.New("config: Log: this outbox has no tables and no relay; replhub capture publishes its events")

// emit writes an event into PostgreSQL's log, as a part of the transaction.
func (o *Outbox) emit(ctx context.Context, tx database.Tx, r *row) error {
	ev := &r.ev
	// The payload goes as bytes: as a part of the JSON, its spaces would be lost.
	message, err := json.Marshal(contract.Emitted{
		Entity: ev.Entity, Op: string(ev.Op), Key: ev.Key, Bytes: ev.Data,
		Version: ev.Version, ContentType: ev.ContentType, Header: ev.Header,
	})
	if err != nil {
		return fmt.Errorf("encode the event: %w", err)
	}
	_, err = tx.ExecContext(ctx, "SELECT pg_logical_emit_message(true, '"+contract.PrefixEmitted+"', $1::text)", string(message))
	return err
}
