package engine_test

import (
	"database/sql"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the service's driver

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/internal/testenv/sqltest"
	"github.com/replhub/replhub/outbox"
)

// A message that a transaction writes into the log is an event, if the transaction
// commits; in its place among the transaction's changes.
func TestEmittedMessages(t *testing.T) {
	b := newBench(t, sqltest.Postgres(t), users)
	e, _ := b.run()
	box, err := outbox.New(outbox.Config{Log: true})
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("pgx", b.dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, commit := range []bool{false, true} {
		tx, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, ev := range []replhub.Event{
			{Entity: "team", Op: replhub.Create, Key: "t1", Data: []byte(`{ "id": "t1" }`)},
			{Entity: "team", Op: replhub.Update, Key: "t1", Data: []byte{0xff, 0}, ContentType: "application/x", Version: 7},
		} {
			if err := box.Enqueue(t.Context(), tx, ev); err != nil {
				t.Fatal(err)
			}
			if _, err := tx.ExecContext(t.Context(), "INSERT INTO users VALUES ((SELECT count(*) FROM users), 'x', NULL)"); err != nil {
				t.Fatal(err)
			}
		}
		end := tx.Rollback
		if commit {
			end = tx.Commit
		}
		if err := end(); err != nil {
			t.Fatal(err)
		}
	}
	// From SQL, by hand; and what is none of the events.
	b.exec(`SELECT pg_logical_emit_message(true, 'replhub', '{"entity":"team","op":"delete","key":"t1","data":{"id": "t1"}}'),
		pg_logical_emit_message(true, 'other', 'x'), pg_logical_emit_message(false, 'replhub', '{}'),
		pg_logical_emit_message(true, 'replhub', '{"entity":"capture-team","op":"update","key":"t1","data":{"id": "t1"}}'),
		pg_logical_emit_message(true, 'replhub', '{"entity":"team"}'), pg_logical_emit_message(true, 'replhub', 'x')`)
	got := b.await(
		`team.create t1 { "id": "t1" }`,
		`users.create 0 {"id":"0","name":"x","note":null}`,
		"team.update t1 \xff\x00",
		`users.create 1 {"id":"1","name":"x","note":null}`,
		`team.delete t1 {"id": "t1"}`,
	)
	if got[0].version != "" || got[2].version != "7" {
		t.Errorf("versions %q, %q", got[0].version, got[2].version)
	}
	if n := e.Counts().Refused.Load(); n != 3 {
		t.Errorf("%d messages refused, want 3", n)
	}
}
