package capture

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/capture/internal/selection"
	"github.com/replhub/replhub/capture/internal/source"
	"github.com/replhub/replhub/internal/captured"
)

// Config says what is captured. Conn, DSN and Service have no default, and Tables and
// Outboxes have none together.
type Config struct {
	// Conn is the connection to NATS; it belongs to the caller. Domain is the JetStream
	// domain; by default the connection's own.
	Conn   *nats.Conn
	Domain string
	// DSN says where the primary server is, without a pooler in between, as a URL or as
	// keywords and values. No error and no message has it.
	DSN string
	// Service is the owner of the tables: the origin of the events.
	Service string
	// Tables are "schema.table=entity"; without an entity it is the table's name. A "*"
	// stands for any characters of a name.
	Tables []string
	// Exclude are columns that no event has, as "schema.table.column".
	Exclude []string
	// Keys are the columns of keys where that is not the primary key, as
	// "schema.table=column,column".
	Keys []string
	// Outboxes are outbox tables, each inserted row of which is an event, as "schema.table"
	// (the table of package outbox) or "schema.table=layout"; docs/capture.md has the
	// layouts. An update or a delete of a row is no event.
	Outboxes []string
	// DeleteOutbox deletes the rows of outboxes once their events are stored. By default
	// they are left to the service, which may delete them at any time.
	DeleteOutbox bool
	// Slot and Publication are names in the database; "replhub_" and the service's name
	// by default. What does not exist is made.
	Slot, Publication string
	// NoEmitted leaves out the events that transactions write into the log by
	// pg_logical_emit_message, which every role may call by default.
	NoEmitted bool
	// Resync makes the slot again and publishes every row, before Run goes on as always:
	// after a slot was lost, or a database was restored. The versions of the rows win over
	// all before. Rows that were deleted meanwhile are not told of: replhub verify
	// --repair deletes them in the replicas.
	Resync bool
	// OnResync is called with the number of rows that a resync has published so far, after
	// each batch; nothing by default.
	OnResync func(rows uint64)
	// Dismiss clears the alarms of before: tables that were truncated or altered, and changes
	// that were left out because they cannot be events.
	Dismiss bool
	// WatchEvery is the time between two looks for tables that a pattern matches by then;
	// 10 s by default.
	WatchEvery time.Duration
	// Logger gets the messages for operators; slog.Default by default.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	name := captured.DefaultSlot(c.Service)
	c.Slot, c.Publication = cmp.Or(c.Slot, name), cmp.Or(c.Publication, name)
	c.WatchEvery = cmp.Or(c.WatchEvery, 10*time.Second)
	c.Logger = cmp.Or(c.Logger, slog.Default())
	return c
}

// errDSN says nothing of the DSN, which may have a password anywhere.
var errDSN = errors.New("the DSN is not valid for PostgreSQL; a valid DSN is postgres://owner@localhost/app or 'host=localhost user=owner dbname=app'")

// parse reads the DSN and the selection.
func (c Config) parse() (*pgx.ConnConfig, source.Wanted, error) {
	w := source.Wanted{Service: c.Service, SlotName: c.Slot, PublicationName: c.Publication, Resync: c.Resync, DeleteOutbox: c.DeleteOutbox}
	if c.DSN == "" {
		return nil, w, fmt.Errorf("the DSN is missing: state the address of the database")
	}
	config, err := pgx.ParseConfig(c.DSN)
	if err != nil {
		return nil, w, errDSN
	}
	if config.RuntimeParams == nil {
		config.RuntimeParams = map[string]string{}
	}
	config.RuntimeParams["application_name"] = cmp.Or(config.RuntimeParams["application_name"], "replhub capture "+c.Service)
	w.Selection, err = selection.Parse(selection.Config{Tables: c.Tables, Exclude: c.Exclude, Keys: c.Keys, Outboxes: c.Outboxes})
	return config, w, err
}
