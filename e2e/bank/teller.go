package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/outbox"
)

// teller makes one transaction after the other.
type teller struct {
	s    settings
	name string
	rand *rand.Rand
	box  *outbox.Outbox
	conn *pgx.Conn
	// beside is for a transaction beside the change's, where the outbox is taken
	// out of it.
	beside *pgx.Conn
	made   int
}

// run works until ctx ends, in transactions that come at the rate or slower.
func (t *teller) run(ctx context.Context) error {
	average := float64(1+t.s.most) / 2
	tick := time.NewTicker(time.Duration(float64(time.Second) * average * float64(t.s.workers) / t.s.rate))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := t.transact(ctx); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

// transact changes some accounts. Two in a hundred transactions are refused at
// the very end: no trace of these transfers may be seen anywhere.
func (t *teller) transact(ctx context.Context) (err error) {
	tx, err := t.conn.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if rollErr := tx.Rollback(closing); !errors.Is(rollErr, pgx.ErrTxClosed) {
			err = errors.Join(err, rollErr)
		}
	}()
	accounts, err := t.take(ctx, tx)
	if err != nil {
		return fmt.Errorf("take accounts: %w", err)
	}
	decide(t.rand, accounts)
	for _, a := range accounts {
		t.made++
		a.eventID = fmt.Sprintf("%s-%d", t.name, t.made)
	}
	if err := write(ctx, tx, accounts); err != nil {
		return fmt.Errorf("write accounts: %w", err)
	}
	refused := t.rand.IntN(50) == 0
	if t.s.without == withoutOutbox {
		return t.withoutOutbox(ctx, tx, accounts, refused)
	}
	if err := t.enqueue(ctx, tx, accounts); err != nil || refused {
		return err
	}
	return tx.Commit(ctx)
}

// take locks some slots, and only then reads: what it reads is what the
// transaction before has left.
func (t *teller) take(ctx context.Context, tx pgx.Tx) ([]*account, error) {
	ids := make([]string, 0, t.s.most)
	for n := 1 + t.rand.IntN(t.s.most); len(ids) < n; {
		if id := fmt.Sprintf("k%d", t.rand.IntN(t.s.keys)); !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	if _, err := tx.Exec(ctx, `SELECT FROM slots WHERE id = ANY($1) ORDER BY id FOR UPDATE`, ids); err != nil {
		return nil, err
	}
	rows, err := tx.Query(ctx, `SELECT s.id, s.changes, a.id IS NOT NULL, COALESCE(a.name, ''), COALESCE(a.city, ''), COALESCE(a.balance, 0)
		FROM slots s LEFT JOIN accounts a USING (id) WHERE s.id = ANY($1) ORDER BY s.id`, ids)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (*account, error) {
		var a account
		return &a, row.Scan(&a.id, &a.changes, &a.there, &a.name, &a.city, &a.balance)
	})
}

// write changes the accounts and notes it in the history, with one statement
// each for all transfers.
func write(ctx context.Context, tx pgx.Tx, accounts []*account) error {
	var gone []string
	var ids, names, cities, events, keys, ops []string
	var balances, changes, numbers []int64
	for _, a := range accounts {
		events, keys, numbers, ops = append(events, a.eventID), append(keys, a.id), append(numbers, a.changes), append(ops, string(a.op))
		if a.op == replhub.Delete {
			gone = append(gone, a.id)
			continue
		}
		ids, names, cities = append(ids, a.id), append(names, a.name), append(cities, a.city)
		balances, changes = append(balances, a.balance), append(changes, a.changes)
	}
	var all pgx.Batch
	all.Queue(`INSERT INTO accounts (id, name, city, balance, change)
		SELECT id, name, city, balance, change FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[]) u (id, name, city, balance, change)
		ON CONFLICT (id) DO UPDATE SET city = excluded.city, balance = excluded.balance, change = excluded.change`, ids, names, cities, balances, changes)
	all.Queue(`DELETE FROM accounts WHERE id = ANY($1)`, gone)
	all.Queue(`UPDATE slots SET changes = changes + 1 WHERE id = ANY($1)`, keys)
	all.Queue(`INSERT INTO changes (event_id, key, n, op)
		SELECT event_id, key, n, op FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[]) u (event_id, key, n, op)`, events, keys, numbers, ops)
	return tx.SendBatch(ctx, &all).Close()
}

func (t *teller) enqueue(ctx context.Context, tx pgx.Tx, accounts []*account) error {
	for _, a := range accounts {
		ev, err := a.event()
		if err != nil {
			return err
		}
		if err := t.box.Enqueue(ctx, database.Pgx(tx), ev); err != nil {
			return err
		}
	}
	return nil
}

// withoutOutbox ends the transaction with the events in another one, by chance
// before it or after it.
func (t *teller) withoutOutbox(ctx context.Context, tx pgx.Tx, accounts []*account, refused bool) error {
	beside := func() error {
		return pgx.BeginFunc(ctx, t.beside, func(other pgx.Tx) error { return t.enqueue(ctx, other, accounts) })
	}
	before := t.rand.IntN(2) == 0
	if before {
		if err := beside(); err != nil {
			return err
		}
	}
	if refused {
		return nil
	}
	if err := tx.Commit(ctx); err != nil || before {
		return err
	}
	return beside()
}
