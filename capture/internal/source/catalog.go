package source

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/replhub/replhub/capture/internal/change"
	"github.com/replhub/replhub/capture/internal/row"
)

// The versions of PostgreSQL that capture knows, as server_version_num has them.
const (
	oldestVersion = 140000
	filterVersion = 150000 // publications with row filters, column lists and schemas
	newestVersion = 180000 // the first one that is not known
)

// Connect opens a session under whose settings values are spelt as in the stream. An
// error has no secret of the DSN.
func Connect(ctx context.Context, config *pgx.ConnConfig) (*pgx.Conn, error) {
	config = config.Copy()
	maps.Copy(config.RuntimeParams, change.Settings())
	// Each statement is planned when it runs: what it reads may have changed since.
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connect to the database: %w", err)
	}
	return conn, nil
}

// Catalog is what the database says of itself, at one time.
type Catalog struct {
	Server      Server
	Tables      []Table
	Slot        *Slot        // nil: there is none of that name
	Publication *Publication // as Slot
	// NoKeys are the types of columns of keys that cannot be keys.
	NoKeys map[uint32]bool
}

// Server is the server, the database and the role that is connected.
type Server struct {
	Version          int // as server_version_num
	VersionText      string
	WALLevel         string
	MaxSlots, Slots  int
	MaxSenders       int
	Senders          int
	Standby          bool
	Encoding         string
	Database, Role   string
	Superuser        bool
	Replication      bool // the role may replicate
	CreateInDatabase bool // the role may create a publication
	BypassRLS        bool
}

// Some providers give the right to replicate by a role of theirs.
const serverQuery = `SELECT current_setting('server_version_num')::int, current_setting('server_version'), current_setting('wal_level'),
	current_setting('max_replication_slots')::int, (SELECT count(*) FROM pg_replication_slots)::int,
	current_setting('max_wal_senders')::int, (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'walsender')::int,
	pg_is_in_recovery(), current_setting('server_encoding'), current_database()::text, current_user::text,
	r.rolsuper, r.rolsuper OR r.rolreplication OR EXISTS (
		SELECT 1 FROM pg_roles p WHERE p.rolname = 'rds_replication' AND pg_has_role(current_user, p.oid, 'member')),
	has_database_privilege(current_database(), 'CREATE'), r.rolsuper OR r.rolbypassrls
FROM pg_roles r WHERE r.rolname = current_user`

func readServer(ctx context.Context, conn *pgx.Conn) (Server, error) {
	var s Server
	err := conn.QueryRow(ctx, serverQuery).Scan(&s.Version, &s.VersionText, &s.WALLevel, &s.MaxSlots, &s.Slots, &s.MaxSenders, &s.Senders,
		&s.Standby, &s.Encoding, &s.Database, &s.Role, &s.Superuser, &s.Replication, &s.CreateInDatabase, &s.BypassRLS)
	if err != nil {
		return s, fmt.Errorf("read the server's settings: %w", err)
	}
	return s, nil
}

// Read reads what a check of w needs.
func Read(ctx context.Context, conn *pgx.Conn, w Wanted) (Catalog, error) {
	c := Catalog{NoKeys: map[uint32]bool{}}
	var err error
	if c.Server, err = readServer(ctx, conn); err != nil {
		return c, err
	}
	if c.Tables, err = ReadTables(ctx, conn); err != nil {
		return c, err
	}
	if c.Slot, err = readSlot(ctx, conn, w.SlotName); err != nil {
		return c, err
	}
	if c.Publication, err = readPublication(ctx, conn, w.PublicationName, c.Server.Version); err != nil {
		return c, err
	}
	if err := c.readOutboxes(ctx, conn, w); err != nil {
		return c, err
	}
	return c, c.readKeys(ctx, conn, w)
}

// readOutboxes finds out which outboxes have rows that the log of a slot made now would
// not have. Where the role may not read the rows, nobody knows.
func (c *Catalog) readOutboxes(ctx context.Context, conn *pgx.Conn, w Wanted) error {
	for n := range c.Tables {
		t := &c.Tables[n]
		readable := t.UsesSchema && !slices.ContainsFunc(t.Columns, func(col TableColumn) bool { return !col.Readable })
		if w.Selection.Outbox(t.Schema, t.Name) == nil || !readable || t.RowSecurity || c.Publication != nil && c.Publication.has(t) {
			continue
		}
		if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM "+t.quoted()+")").Scan(&t.Filled); err != nil {
			return fmt.Errorf("look at the outbox %s: %w", t.FullName(), err)
		}
	}
	return nil
}

// readKeys finds out which types of keys cannot be keys.
func (c *Catalog) readKeys(ctx context.Context, conn *pgx.Conn, w Wanted) error {
	types := row.NewTypes()
	captured, _ := Captured(w.Selection, c.Tables)
	for n := range captured {
		key := w.keyOf(&captured[n])
		for _, column := range captured[n].Columns {
			if !slices.Contains(key, column.Name) {
				continue
			}
			t, err := types.Of(ctx, conn, column.Type)
			if err != nil {
				return err
			}
			c.NoKeys[column.Type] = !t.CanBeKey()
		}
	}
	return nil
}
