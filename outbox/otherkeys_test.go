package outbox_test

import (
	"context"
	"testing"
	"time"
)

// soon bounds what has to wait for no other transaction.
func (p *place) soon() context.Context {
	ctx, cancel := context.WithTimeout(p.Context(), 3*time.Second)
	p.Cleanup(cancel)
	return ctx
}

// Keys beside those of a transaction that is open are enqueued.
func TestOtherKeysDoNotWait(t *testing.T) {
	each(t, func(t *testing.T, p *place) {
		for _, key := range []string{"b", "m", "y"} {
			p.enqueue(user(key))
		}
		tx := p.begin()
		for _, key := range []string{"m", "new"} {
			if err := p.box.Enqueue(t.Context(), tx, user(key)); err != nil {
				t.Fatal(err)
			}
		}
		for _, key := range []string{"a", "b", "l", "n", "nev", "nex", "y", "z"} {
			other := p.begin()
			if err := p.box.Enqueue(p.soon(), other, user(key)); err != nil {
				t.Errorf("%s: %v", key, err)
				continue
			}
			if err := other.Commit(); err != nil {
				t.Errorf("%s: %v", key, err)
			}
		}
	}, postgres, mariadb)
}

// Requeue passes over what another transaction has locked, or is setting aside.
func TestRequeueWaitsForNobody(t *testing.T) {
	each(t, func(t *testing.T, p *place) {
		insert := "INSERT INTO replhub_outbox_failed (id, shard, entity, op, entity_key, version, event_id, content_type, header, payload, enqueued_at, failed_at, error) " +
			"SELECT n, 0, 'user', 'update', 'k', 1, 'e', '', '', '', 0, 0, '' FROM "
		numbers, one := "generate_series(1, 600) AS s(n)", "generate_series(700, 700) AS s(n)"
		if p.Dialect == mariadb.Dialect {
			numbers, one = "(SELECT seq AS n FROM seq_1_to_600) AS s", "(SELECT 700 AS n) AS s"
		}
		if _, err := p.db.ExecContext(t.Context(), insert+numbers); err != nil {
			t.Fatal(err)
		}
		other := p.begin()
		for _, statement := range []string{"UPDATE replhub_outbox_failed SET error = 'mended' WHERE id = 300", insert + one} {
			if _, err := other.ExecContext(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
		if n, err := p.box.Requeue(p.soon(), p.db); err != nil || n != 599 {
			t.Errorf("%d events requeued, %v", n, err)
		}
		if err := other.Commit(); err != nil {
			t.Fatal(err)
		}
		if n, err := p.box.Requeue(p.soon(), p.db); err != nil || n != 2 {
			t.Errorf("%d events requeued of those that were locked, %v", n, err)
		}
		if waiting, failed := p.rows(""), p.rows("_failed"); waiting != 601 || failed != 0 {
			t.Errorf("%d events wait, %d are set aside", waiting, failed)
		}
	}, postgres, mariadb)
}
