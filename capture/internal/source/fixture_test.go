package source

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/replhub/replhub/capture/internal/selection"
	"github.com/replhub/replhub/internal/testenv/sqltest"
)

// database is a fresh database of PostgreSQL.
type database struct {
	t      *testing.T
	config *pgx.ConnConfig
	*pgx.Conn
}

func newDatabase(t *testing.T, statements ...string) *database {
	t.Helper()
	config, err := pgx.ParseConfig(sqltest.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	d := &database{t: t, config: config}
	d.Conn = d.connect()
	d.exec(statements...)
	return d
}

// connect opens another session, with the settings of the server.
func (d *database) connect() *pgx.Conn {
	d.t.Helper()
	conn, err := pgx.ConnectConfig(d.t.Context(), d.config)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(d.t.Context())) })
	return conn
}

func (d *database) exec(statements ...string) {
	d.t.Helper()
	for _, statement := range statements {
		if _, err := d.Exec(context.WithoutCancel(d.t.Context()), statement); err != nil {
			d.t.Fatalf("%s: %v", statement, err)
		}
	}
}

func selectionOf(t *testing.T, cfg selection.Config) *selection.Selection {
	t.Helper()
	s, err := selection.Parse(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func wanted(t *testing.T, cfg selection.Config) Wanted {
	t.Helper()
	return Wanted{Service: "owner", SlotName: "replhub_" + strings.ToLower(t.Name()), PublicationName: "replhub_owner", Selection: selectionOf(t, cfg)}
}
