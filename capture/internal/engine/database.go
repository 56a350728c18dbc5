package engine

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/replhub/replhub/capture/internal/change"
	"github.com/replhub/replhub/internal/captured"
)

// readBuffer is the size of the buffer of a replication connection, in bytes.
const readBuffer = 128 << 10

// replicating is the configuration of a replication connection.
func replicating(config *pgx.ConnConfig, senderTimeout time.Duration) *pgconn.Config {
	c := config.Config.Copy()
	maps.Copy(c.RuntimeParams, change.Settings())
	c.RuntimeParams["replication"] = "database"
	c.RuntimeParams["wal_sender_timeout"] = strconv.FormatInt(senderTimeout.Milliseconds(), 10)
	// The server sends each row by itself: one read takes what is there of them.
	c.BuildFrontend = func(r io.Reader, w io.Writer) *pgproto3.Frontend {
		return pgproto3.NewFrontend(bufio.NewReaderSize(r, readBuffer), w)
	}
	return c
}

// reading is the configuration of a connection that reads rows.
func reading(config *pgx.ConnConfig) *pgx.ConnConfig {
	c := config.Copy()
	maps.Copy(c.RuntimeParams, change.Settings())
	return c
}

// lock takes the lock that one capture of a slot holds for as long as its connection
// lasts. A second process waits for it as a standby.
func lock(ctx context.Context, conn *pgconn.PgConn, slot string) (held bool, err error) {
	h := fnv.New64a()
	_, _ = h.Write([]byte("replhub capture " + slot)) // a hash takes everything
	row, err := one(ctx, conn, "SELECT pg_try_advisory_lock("+strconv.FormatInt(int64(h.Sum64()), 10)+")", 1)
	if err != nil {
		return false, fmt.Errorf("take the lock of slot %s: %w", slot, err)
	}
	return row[0] == "t", nil
}

// look asks what the database says of a slot.
func look(ctx context.Context, conn *pgconn.PgConn, name string) (slot, error) {
	s := slot{name: name}
	ident, err := pglogrepl.IdentifySystem(ctx, conn)
	if err != nil {
		return s, fmt.Errorf("identify the database: %w", err)
	}
	s.system, s.timeline, s.connected = ident.SystemID, ident.Timeline, ident.DBName
	s.end = captured.LSN(ident.XLogPos)
	row, err := one(ctx, conn, "SELECT plugin, database, active::text, COALESCE(wal_status, ''), COALESCE(confirmed_flush_lsn, '0/0')::text FROM pg_replication_slots WHERE slot_name = "+quoteLiteral(name), 5)
	if errors.Is(err, errNoRow) {
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("look at slot %s: %w", name, err)
	}
	s.exists, s.plugin, s.database, s.active, s.walStatus = true, row[0], row[1], row[2] == "true", row[3]
	return s, s.confirmed.UnmarshalText([]byte(row[4]))
}

// branchedAt is the LSN at which a timeline ended in the present one's history; 0 for the
// present one.
func branchedAt(ctx context.Context, conn *pgconn.PgConn, present, timeline int32) (captured.LSN, error) {
	if timeline == present || timeline == 0 {
		return 0, nil
	}
	history, err := pglogrepl.TimelineHistory(ctx, conn, present)
	if err != nil {
		return 0, fmt.Errorf("read the history of timeline %d: %w", present, err)
	}
	return branchIn(string(history.Content), timeline)
}

// branchIn reads the content of a history file: lines of a timeline, the LSN at which it
// ended, and a reason. A timeline that it does not name is none of the past: everything
// of it is lost.
func branchIn(content string, timeline int32) (captured.LSN, error) {
	for line := range strings.Lines(content) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != strconv.Itoa(int(timeline)) {
			continue
		}
		var at captured.LSN
		return at, at.UnmarshalText([]byte(fields[1]))
	}
	return 1, nil
}

var errNoRow = errors.New("no row")

// one runs a statement by the simple protocol, which a replication connection knows, and
// returns its only row.
func one(ctx context.Context, conn *pgconn.PgConn, statement string, columns int) ([]string, error) {
	results, err := conn.Exec(ctx, statement).ReadAll()
	if err != nil {
		return nil, err
	}
	if len(results) != 1 || len(results[0].Rows) == 0 {
		return nil, errNoRow
	}
	row := make([]string, columns)
	for i, value := range results[0].Rows[0] {
		row[i] = string(value)
	}
	return row, nil
}

func quoteLiteral(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// quoteName quotes an identifier within a literal.
func quoteName(s string) string {
	return strings.ReplaceAll(pgx.Identifier{s}.Sanitize(), "'", "''")
}
