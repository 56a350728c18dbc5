package source

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/replhub/replhub/capture/internal/selection"
)

// Table is a table, or what could be taken for one.
type Table struct {
	OID          uint32
	Schema, Name string
	// Kind is pg_class.relkind: "r" a table, "p" a partitioned one, "v", "m", "f" a view,
	// a materialized view and a foreign table.
	Kind string
	// Persistence is pg_class.relpersistence: "p", "u" (unlogged) or "t" (temporary).
	Persistence string
	// Root is the partitioned table that the table is a partition of; empty without.
	Root string
	// Identity is pg_class.relreplident: "d" (the primary key), "n" (nothing), "f" (the
	// full row), "i" (an index).
	Identity string
	// Owned says that the role owns the table, or may act as its owner.
	Owned bool
	// UsesSchema says that the role may use the schema.
	UsesSchema bool
	// RowSecurity says that policies decide which rows the role sees.
	RowSecurity bool
	// Deletable says that the role may delete rows.
	Deletable bool
	// Filled says, of an outbox that the publication does not have, that it has rows.
	Filled  bool
	Columns []TableColumn
	Indexes []Index
}

// TableColumn is a column of a Table.
type TableColumn struct {
	Name      string `json:"name"`
	Type      uint32 `json:"type"`
	TypeName  string `json:"type_name"` // in SQL, without a modifier
	NotNull   bool   `json:"not_null"`
	Generated bool   `json:"generated"`
	// Readable says that the role may select the column.
	Readable bool `json:"readable"`
}

// Index is a unique index that holds at once and for all rows.
type Index struct {
	Name     string   `json:"name"`
	Columns  []string `json:"columns"`
	Primary  bool     `json:"primary"`
	Identity bool     `json:"identity"` // it is the table's replica identity
}

// An index on an expression has an attribute number 0, and thus fewer names than columns.
const tablesQuery = `SELECT c.oid, n.nspname::text, c.relname::text, c.relkind::text, c.relpersistence::text, c.relreplident::text,
	CASE WHEN c.relispartition THEN (SELECT format('%s.%s', rn.nspname, r.relname) FROM pg_class r JOIN pg_namespace rn ON rn.oid = r.relnamespace
		WHERE r.oid = pg_partition_root(c.oid)) ELSE '' END,
	pg_has_role(c.relowner, 'USAGE'), has_schema_privilege(n.oid, 'USAGE'),
	c.relrowsecurity AND (c.relforcerowsecurity OR NOT pg_has_role(c.relowner, 'USAGE')), has_table_privilege(c.oid, 'DELETE'),
	(SELECT coalesce(json_agg(json_build_object('name', a.attname, 'type', a.atttypid::bigint, 'type_name', format_type(a.atttypid, -1), 'not_null', a.attnotnull, 'generated', a.attgenerated <> '',
		'readable', has_column_privilege(c.oid, a.attnum, 'SELECT')) ORDER BY a.attnum), '[]')::text
		FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
	(SELECT coalesce(json_agg(json_build_object('name', ic.relname, 'primary', i.indisprimary, 'identity', i.indisreplident, 'columns', (
		SELECT json_agg(a.attname ORDER BY k.n) FROM unnest(i.indkey::int[]) WITH ORDINALITY k(attnum, n)
		JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum WHERE k.n <= i.indnkeyatts)) ORDER BY ic.relname), '[]')::text
		FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indimmediate
		AND i.indpred IS NULL AND i.indexprs IS NULL)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\_%'
	AND ($1::oid[] IS NULL OR c.oid = ANY ($1))
ORDER BY 2, 3`

// ReadTables reads all tables of the database, without those of the system.
func ReadTables(ctx context.Context, conn *pgx.Conn) ([]Table, error) {
	return readTables(ctx, conn, nil)
}

// readTables reads the tables of some OIDs; nil is all.
func readTables(ctx context.Context, conn *pgx.Conn, oids []uint32) ([]Table, error) {
	rows, err := conn.Query(ctx, tablesQuery, oids)
	if err != nil {
		return nil, fmt.Errorf("read the tables: %w", err)
	}
	var tables []Table
	var t Table
	var columns, indexes string
	_, err = pgx.ForEachRow(rows, []any{&t.OID, &t.Schema, &t.Name, &t.Kind, &t.Persistence, &t.Identity, &t.Root, &t.Owned, &t.UsesSchema, &t.RowSecurity, &t.Deletable, &columns, &indexes}, func() error {
		found := t
		if err := json.Unmarshal([]byte(columns), &found.Columns); err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(indexes), &found.Indexes); err != nil {
			return err
		}
		tables = append(tables, found)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the tables: %w", err)
	}
	return tables, nil
}

const namesQuery = `SELECT c.oid, n.nspname::text, c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND NOT c.relispartition AND n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema'`

// namesOf returns the tables whose name is that of an entity. It costs little where there
// are thousands of tables.
func namesOf(ctx context.Context, conn *pgx.Conn, s *selection.Selection, entity string) ([]uint32, error) {
	oids := []uint32{}
	err := eachName(ctx, conn, func(oid uint32, schema, name string) {
		if of, ok := s.Entity(schema, name); ok && of == entity {
			oids = append(oids, oid)
		}
	})
	return oids, err
}

func eachName(ctx context.Context, conn *pgx.Conn, do func(oid uint32, schema, name string)) error {
	rows, err := conn.Query(ctx, namesQuery)
	if err != nil {
		return fmt.Errorf("read the names of tables: %w", err)
	}
	var oid uint32
	var schema, name string
	if _, err := pgx.ForEachRow(rows, []any{&oid, &schema, &name}, func() error {
		do(oid, schema, name)
		return nil
	}); err != nil {
		return fmt.Errorf("read the names of tables: %w", err)
	}
	return nil
}

// FullName is "schema.table", as the flags have it.
func (t *Table) FullName() string { return t.Schema + "." + t.Name }

// quoted is the name in SQL.
func (t *Table) quoted() string { return pgx.Identifier{t.Schema, t.Name}.Sanitize() }

// itself is the table in SQL without the tables that inherit from it, whose changes have
// their own name. A partitioned table stands for its partitions.
func (t *Table) itself() string {
	if t.Kind == "p" {
		return t.quoted()
	}
	return "ONLY " + t.quoted()
}

// primaryKey returns the columns of the primary key in the order of its index; nil
// without one that holds at once.
func (t *Table) primaryKey() []string {
	for _, i := range t.Indexes {
		if i.Primary {
			return i.Columns
		}
	}
	return nil
}

// identityColumns returns the columns that the stream has of the old row of a change;
// all says that it has all columns.
func (t *Table) identityColumns() (columns []string, all bool) {
	switch t.Identity {
	case "f":
		return nil, true
	case "d":
		return t.primaryKey(), false
	case "i":
		for _, i := range t.Indexes {
			if i.Identity {
				return i.Columns, false
			}
		}
	}
	return nil, false
}

// tells reports whether each row has other values in the given columns: a unique index
// has them, or some of them, and none can be NULL.
func (t *Table) tells(columns []string) bool {
	for _, name := range columns {
		at := slices.IndexFunc(t.Columns, func(c TableColumn) bool { return c.Name == name })
		if at < 0 || !t.Columns[at].NotNull {
			return false
		}
	}
	return slices.ContainsFunc(t.Indexes, func(i Index) bool {
		return len(i.Columns) > 0 && !slices.ContainsFunc(i.Columns, func(name string) bool { return !slices.Contains(columns, name) })
	})
}
