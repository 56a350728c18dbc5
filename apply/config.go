package apply

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/subjects"
)

// Config says what to apply, and where. Service, Tables, and DSN or DSNFile are
// required.
type Config struct {
	// Service is the name under which the tables are registered with the hub.
	Service string
	// NATS says how to reach the hub. Its Service is set to Service.
	NATS replhub.Config
	// DSN is the address of the database that has the tables: a URL (postgres, mysql,
	// mariadb, sqlite or file), the keywords of libpq ("host=… dbname=…"), or the form of
	// go-sql-driver/mysql ("user:password@tcp(host)/database").
	DSN string
	// DSNFile is a file that holds the DSN. It is read at each new connection, so a
	// password can be changed while the instance runs.
	DSNFile string
	// Tables are the replicas, each of another entity.
	Tables []Table
	// Start is where a first registration begins; replhub.StartNew by default. With
	// StartSnapshot, an interest whose fields are widened later gets the owner's rows
	// again.
	Start replhub.Start
	// Partitions is the number of partitions that the instances share; by default 8 at the
	// first registration, and later the registered number.
	Partitions int
	// WholeRows registers the service for whole rows instead of the fields that columns
	// take. Members that no column takes are then logged and counted.
	WholeRows bool
	// Create creates missing tables from the first rows. OnDDL is called with each
	// statement before it runs.
	Create bool
	OnDDL  func(table, statement string)
	// DryRun writes nothing into the database: Run returns after the checks, and, with
	// Create, after OnDDL. A service without an interest is registered to see rows, and
	// the registration is ended again. If the service has interests already, DryRun
	// changes nothing and takes no copy, so it cannot show tables: see Summary.Unsampled.
	DryRun bool
	// Once makes Run return when every event that ingest held at the start, and the
	// snapshot if there is one, is applied or a dead letter.
	Once bool
	// Workers is how many transactions run at once; 8 by default. SQLite has one at a time.
	Workers int
	// DrainTimeout is how long transactions under way may take at the end; 10 s by
	// default.
	DrainTimeout time.Duration
	// Inbox is the inbox's own table; InboxTable(Service) by default. Two services that
	// apply into one database must not share it.
	Inbox string
	// OnProgress is called about once a second with the progress of the instance; by
	// default nothing is called.
	OnProgress func(Progress)
	// Logger gets the messages for operators; slog.Default() by default.
	Logger *slog.Logger

	// sampling bounds the wait for first rows; tests shorten it.
	sampling sampling
	// look is the time between looks at the lane.
	look time.Duration
}

// Table is one replica.
type Table struct {
	// Entity is whose rows the table gets, and Table its name, with its schema before a
	// dot or not.
	Entity, Table string
	// Key is the key's column; by default the primary key, if that is one column.
	Key string
	// Columns map further columns: the column's name to the member's path in the row,
	// such as "city" to "address.city". A column that is not named here takes the
	// member of its own name.
	Columns map[string]string
	// Ignore are columns that are never written.
	Ignore []string
	// Where is a CEL filter that rows have to pass; empty keeps the filter that is
	// registered, "true" lifts it.
	Where string
}

func (c Config) withDefaults() Config {
	c.Logger = cmp.Or(c.Logger, slog.Default())
	c.Workers = cmp.Or(c.Workers, 8)
	c.Inbox = cmp.Or(c.Inbox, InboxTable(c.Service))
	c.NATS.Service = c.Service
	c.NATS.Logger = cmp.Or(c.NATS.Logger, c.Logger)
	c.Start = cmp.Or(c.Start, replhub.StartNew())
	c.sampling = c.sampling.withDefaults()
	c.look = cmp.Or(c.look, time.Second)
	return c
}

// InboxTable is the name of the inbox's table of a service: two services that apply into
// one database have one each, since an inbox takes a change of a key once.
func InboxTable(service string) string {
	const prefix, most = "replhub_inbox_", database.MaxName - len("_waiting")
	if name := prefix + service; len(name) <= most {
		return name
	}
	sum := sha256.Sum256([]byte(service))
	end := "_" + hex.EncodeToString(sum[:4])
	return prefix + service[:most-len(prefix)-len(end)] + end
}

// validate collects all that is wrong with a Config, without a look at the database.
func (c Config) validate() error {
	var f FindingsError
	if _, err := subjects.ParseName(c.Service); err != nil {
		f.addf("service %q: %v", c.Service, err)
	}
	switch {
	case c.DSN == "" && c.DSNFile == "":
		f.addf("no database is named: give --dsn or --dsn-file, or set DATABASE_URL")
	case c.DSN != "" && c.DSNFile != "":
		f.addf("the database is named twice: give --dsn or --dsn-file, not both")
	case c.DSN != "":
		if _, err := parseDSN(c.DSN); err != nil {
			f.addf("%v", err)
		}
	}
	if c.Workers < 0 || c.Partitions < 0 {
		f.addf("workers and partitions must be positive")
	}
	if len(c.Tables) == 0 {
		f.addf("no table is named: give --table entity=table")
	}
	entities, tables := map[string]bool{}, map[string]bool{}
	for _, t := range c.Tables {
		t.validate(&f)
		if entities[t.Entity] {
			f.addf("entity %s has two tables: one service keeps one table of an entity; use another service for the second", t.Entity)
		}
		if tables[t.Table] {
			f.addf("table %s is named for two entities, whose keys would meet in it", t.Table)
		}
		entities[t.Entity], tables[t.Table] = true, true
	}
	return f.orNil()
}

func (t Table) validate(f *FindingsError) {
	if _, err := subjects.ParseName(t.Entity); err != nil {
		f.addf("entity %q: %v", t.Entity, err)
	}
	if t.Table == "" {
		f.addf("entity %s: the table's name is empty", t.Entity)
	}
	for _, column := range slices.Sorted(maps.Keys(t.Columns)) {
		path := t.Columns[column]
		switch {
		case column == "" || path == "" || slices.Contains(strings.Split(path, "."), ""):
			f.addf("entity %s: the mapping %s=%s has an empty name", t.Entity, path, column)
		case column == t.Key:
			f.addf("entity %s: column %s is the key's, which takes the event's key: leave out its mapping", t.Entity, column)
		case slices.Contains(t.Ignore, column):
			f.addf("entity %s: column %s is mapped and ignored", t.Entity, column)
		}
	}
}
