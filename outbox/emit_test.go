package outbox_test

import (
	"database/sql"
	"testing"

	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/outbox"
)

// An outbox in the log has no tables, so nothing that works on tables.
func TestLogHasNoTables(t *testing.T) {
	box, err := outbox.New(outbox.Config{Log: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(box.Schema()) > 0 {
		t.Errorf("tables: %q", box.Schema())
	}
	if _, err := box.NewRelay(outbox.RelayConfig{DB: new(sql.DB), Publisher: publisherFunc(nil)}); err == nil {
		t.Error("it has a relay")
	}
	if _, err := outbox.New(outbox.Config{Log: true, Dialect: database.MariaDB}); err == nil {
		t.Error("MariaDB has one")
	}
}
