package outbox_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/replhub/replhub/outbox"
)

// Requeue ends although its events are set aside again at once, here by a trigger in
// place of a relay: each event is requeued once.
func TestRequeueEndsWhereEventsFailAgain(t *testing.T) {
	t.Parallel()
	const events = 600 // more than two pieces
	p := newPlace(t, sqlite, outbox.Config{})
	const columns = "shard, entity, op, entity_key, version, event_id, content_type, header, payload, enqueued_at"
	for i := range events {
		p.exec(fmt.Sprintf("INSERT INTO replhub_outbox_failed (id, %[1]s, failed_at, error) VALUES (%[2]d, 1, 'user', 'update', '%[2]d', 1, '%[2]d', '', '', '', 0, 0, '')", columns, i+1))
	}
	p.exec("INSERT INTO sqlite_sequence (name, seq) VALUES ('replhub_outbox', 10000)",
		"CREATE TRIGGER fails AFTER INSERT ON replhub_outbox BEGIN "+
			"INSERT INTO replhub_outbox_failed (id, "+columns+", failed_at, error) SELECT id, "+columns+", 0, 'again' FROM replhub_outbox WHERE id = NEW.id; "+
			"DELETE FROM replhub_outbox WHERE id = NEW.id; END")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if n, err := p.box.Requeue(ctx, p.db); n != events || err != nil {
		t.Errorf("%d requeued, %v, want %d", n, err, events)
	}
	if n := p.rows("_failed"); n != events {
		t.Errorf("%d are set aside, want %d", n, events)
	}
}
