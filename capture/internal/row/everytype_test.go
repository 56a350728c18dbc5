package row_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	_ "github.com/go-sql-driver/mysql"
	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/capture/internal/change"
	"github.com/replhub/replhub/capture/internal/row"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/inbox"
	"github.com/replhub/replhub/internal/testenv/sqltest"
)

var update = flag.Bool("update", false, "write TYPES.md from what is found")

// connect opens a session with the settings of capture, on a role whose own settings
// would spell values otherwise.
func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	cfg.RuntimeParams = change.Settings()
	conn, err := pgx.ConnectConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

// selected reads rows in PostgreSQL's text form, with the OIDs of their types.
func selected(t *testing.T, conn *pgx.Conn, query string) (oids []uint32, rows []change.Tuple) {
	t.Helper()
	result := conn.PgConn().ExecParams(t.Context(), query, nil, nil, nil, nil)
	for _, f := range result.FieldDescriptions() {
		oids = append(oids, f.DataTypeOID)
	}
	for result.NextRow() {
		tuple := make(change.Tuple, len(oids))
		for n, text := range result.Values() {
			if text != nil {
				tuple[n] = change.Value{Kind: change.Text, Text: append([]byte{}, text...)}
			}
		}
		rows = append(rows, tuple)
	}
	if _, err := result.Close(); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return oids, rows
}

// replica is a database that gets the events.
type replica struct {
	db *sql.DB
	in *inbox.Inbox
	// text is a column as text in SQL, with $ for its name.
	text string
}

func newReplica(t *testing.T, driver, dsn string, dialect database.Dialect, text string) *replica {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	in, err := inbox.New(inbox.Config{Dialect: dialect, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return &replica{db, in, text}
}

func (r *replica) exec(t *testing.T, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if _, err := r.db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// store applies each payload to a new table with the column's type, and returns the
// texts that are read back; "refused" for a value that the table refused.
func (r *replica) store(t *testing.T, name, column string, payloads []string) []string {
	t.Helper()
	r.exec(t, fmt.Sprintf("CREATE TABLE %s (id integer PRIMARY KEY, v %s)", name, column))
	table, err := r.in.NewTable(inbox.TableConfig{Table: name, Columns: []inbox.Column{{Name: "v"}}})
	if err != nil {
		t.Fatal(err)
	}
	tx, err := r.db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	texts, read := make([]string, len(payloads)), r.text
	if strings.HasSuffix(column, "blob") {
		read = "$"
	}
	for n, payload := range payloads {
		err := table.Apply(t.Context(), tx, &replhub.Delivery{Entity: "e", Op: replhub.Create, Key: fmt.Sprint(n), Data: []byte(payload)})
		if refused := (*inbox.ValueError)(nil); errors.As(err, &refused) {
			texts[n] = refusedText
			continue
		}
		if err != nil {
			t.Fatalf("%s: %s: %v", column, payload, err)
		}
		var text sql.NullString
		query := fmt.Sprintf("SELECT %s FROM %s WHERE id = %d", strings.ReplaceAll(read, "$", "v"), name, n)
		if err := tx.QueryRowContext(t.Context(), query).Scan(&text); err != nil {
			t.Fatal(err)
		}
		if texts[n] = text.String; !text.Valid {
			texts[n] = nullText
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	return texts
}

const (
	refusedText = "refused"
	nullText    = "NULL"
)

// Each value of each type becomes JSON by its rule, and the same value in a replica of
// each database, or is refused there. TYPES.md is made of what is found here.
func TestTypes(t *testing.T) {
	dsn := sqltest.Postgres(t)
	settings := " options='-c timezone=UTC -c datestyle=ISO -c intervalstyle=iso_8601'"
	postgres := newReplica(t, "pgx", dsn+settings, database.Postgres, "CASE WHEN $ IS NOT NULL THEN format('%s', $) END")
	mariadb := newReplica(t, "mysql", sqltest.MariaDB(t), database.MariaDB, "CAST($ AS char)")
	sqlite := newReplica(t, "sqlite", sqltest.SQLite(t), database.SQLite, "CASE typeof($) WHEN 'real' THEN printf('%!.17g', $) ELSE CAST($ AS text) END")
	postgres.exec(t, setup()...)
	mariadb.exec(t, "ALTER DATABASE COLLATE utf8mb4_nopad_bin")
	// The settings of the database do not count.
	postgres.exec(t, "DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || current_database() || ' SET datestyle = German'; EXECUTE 'ALTER DATABASE ' || current_database() || ' SET timezone = \"Asia/Tokyo\"'; END $$")
	conn := connect(t, dsn)
	postgres.exec(t, "CREATE PUBLICATION rows FOR ALL TABLES", "SELECT pg_create_logical_replication_slot('"+slotOf(conn)+"', 'pgoutput')")
	defer postgres.exec(t, "SELECT pg_drop_replication_slot('"+slotOf(conn)+"')")
	types := row.NewTypes()
	var found strings.Builder
	for n, c := range typeCases() {
		payloads, sources := events(t, postgres, conn, types, c, n)
		name := fmt.Sprintf("t%d", n)
		own := postgres.store(t, "r"+name, c.column, payloads)
		other := mariadb.store(t, name, c.mariadb, payloads)
		file := sqlite.store(t, name, c.sqlite, payloads)
		for at, source := range sources {
			if own[at] != refusedText && !c.sameType(source, own[at]) {
				t.Errorf("%s: %s became %s, and in a column of the same type %q", c.column, source, payloads[at], own[at])
			}
			for where, stored := range map[string]string{"MariaDB " + c.mariadb: other[at], "SQLite " + c.sqlite: file[at]} {
				if stored != refusedText && stored != nullText && !c.like(c.compared(t, source, payloads[at]), stored) {
					t.Errorf("%s: %s became %s, and in %s %q", c.column, source, payloads[at], where, stored)
				}
			}
			fmt.Fprintf(&found, "| %s | %s | %s | %s | %s | %s |\n", c.column, cell(c.values[at]), cell(member(t, payloads[at])), same(source, own[at]), shown(c.mariadb, other[at]), shown(c.sqlite, file[at]))
		}
	}
	document(t, found.String())
}

// sameType compares with a value in a column of the same type.
func (c typeCase) sameType(source, stored string) bool {
	return source == stored || strings.HasPrefix(c.column, "real") && likeFloat32(source, stored) || strings.HasPrefix(c.column, "double") && likeFloat(source, stored)
}

// events puts the values of a case into a table, and returns the payloads of its rows
// and the texts that PostgreSQL gives for the values.
func events(t *testing.T, source *replica, conn *pgx.Conn, types *row.Types, c typeCase, n int) (payloads, texts []string) {
	t.Helper()
	source.exec(t, fmt.Sprintf("CREATE TABLE s%d (id integer PRIMARY KEY, v %s)", n, c.column))
	for at, value := range c.values {
		source.exec(t, fmt.Sprintf("INSERT INTO s%d VALUES (%d, %s)", n, at, value))
	}
	oids, rows := selected(t, conn, fmt.Sprintf("SELECT id, v FROM public.s%d ORDER BY id", n))
	shape := shapeOf(t, conn, types, oids)
	streamedOIDs, streamed := decoded(t, conn, fmt.Sprintf("s%d", n))
	streamShape := shapeOf(t, conn, types, streamedOIDs)
	for at, tuple := range rows {
		payload, err := shape.Row(nil, tuple)
		if err != nil {
			t.Fatalf("%s: %v", c.column, err)
		}
		if stream, err := streamShape.Row(nil, streamed[at]); string(stream) != string(payload) || err != nil {
			t.Errorf("%s: by logical decoding %s, %v, and by a SELECT %s", c.column, stream, err, payload)
		}
		if !json.Valid(payload) {
			t.Errorf("%s: no JSON: %s", c.column, payload)
		}
		text := nullText
		if tuple[1].Kind == change.Text {
			text = string(tuple[1].Text)
		}
		payloads, texts = append(payloads, string(payload)), append(texts, text)
	}
	return payloads, texts
}

// decoded reads the rows of a table that were inserted since the call before, as logical
// decoding gives them, and the types that it says.
func decoded(t *testing.T, conn *pgx.Conn, table string) (oids []uint32, rows []change.Tuple) {
	t.Helper()
	result := conn.PgConn().ExecParams(t.Context(), "SELECT data FROM pg_logical_slot_get_binary_changes($1, NULL, NULL, 'proto_version', '1', 'publication_names', 'rows')",
		[][]byte{[]byte(slotOf(conn))}, nil, nil, []int16{pgx.BinaryFormatCode}).Read()
	if result.Err != nil {
		t.Fatal(result.Err)
	}
	ours := uint32(0)
	for _, message := range result.Rows {
		parsed, err := pglogrepl.Parse(message[0])
		if err != nil {
			t.Fatal(err)
		}
		switch m := parsed.(type) {
		case *pglogrepl.RelationMessage:
			if m.RelationName == table {
				ours, oids = m.RelationID, []uint32{m.Columns[0].DataType, m.Columns[1].DataType}
			}
		case *pglogrepl.InsertMessage:
			if m.RelationID == ours {
				rows = append(rows, inserted(m))
			}
		}
	}
	return oids, rows
}

func inserted(m *pglogrepl.InsertMessage) change.Tuple {
	tuple := make(change.Tuple, len(m.Tuple.Columns))
	for n, c := range m.Tuple.Columns {
		if c.DataType == pglogrepl.TupleDataTypeText {
			tuple[n] = change.Value{Kind: change.Text, Text: c.Data}
		}
	}
	return tuple
}

// slotOf is the name of the slot of a test's database.
func slotOf(conn *pgx.Conn) string { return "rows_" + conn.Config().Database }

func shapeOf(t *testing.T, conn *pgx.Conn, types *row.Types, oids []uint32) *row.Shape {
	t.Helper()
	columns := []row.Column{{Name: "id"}, {Name: "v"}}
	for n, oid := range oids {
		var err error
		if columns[n].Type, err = types.Of(t.Context(), conn, oid); err != nil {
			t.Fatal(err)
		}
	}
	shape, err := row.NewShape("e", "s", columns, []string{"id"})
	if err != nil {
		t.Fatal(err)
	}
	return shape
}

// member is the payload's member "v" as it is written.
func member(t *testing.T, payload string) string {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(payload), &members); err != nil {
		t.Fatal(err)
	}
	return string(members["v"])
}

// compared is the text with which a case's likeness compares.
func (c typeCase) compared(t *testing.T, source, payload string) string {
	t.Helper()
	if c.mariadb == "longtext" && c.column != "text" && c.column != "xml" {
		return member(t, payload)
	}
	return source
}
