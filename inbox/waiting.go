package inbox

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
)

// waitingLife is how long a delivery counts as waiting after it was last tried: a
// subscriber tries it again within 30 s by default. What is older was given up, or
// came to another end, and is removed.
const waitingLife = 5 * time.Minute

// waitingTable is where deliveries are kept that wait for a row to give up a unique
// value, for whoever gets that row's own change: the two are then applied in one
// transaction. They are not acknowledged meanwhile, so nothing depends on this table
// but how soon they are applied.
type waitingTable struct {
	create, keep, remove string
	// expired finds deliveries that no longer wait, without locks. Argument: the oldest
	// time. expire removes one of them. Arguments: target, entity, key, the oldest time.
	expired, expire string
	// find returns the deliveries of a key. Arguments: target, key, the oldest time.
	find string
}

const waitingSuffix = "_waiting"

// waitingName is the table's name: the inbox's with a suffix, cut to fit.
func waitingName(table string) string {
	schema, name := "", table
	if dot := strings.LastIndexByte(table, '.'); dot >= 0 {
		schema, name = table[:dot+1], table[dot+1:]
	}
	for len(name)+len(waitingSuffix) > database.MaxName {
		_, size := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-size]
	}
	return schema + name + waitingSuffix
}

func newWaitingTable(d database.Dialect, inbox string) (waitingTable, error) {
	table, err := d.QuotePath(waitingName(inbox))
	if err != nil {
		return waitingTable{}, err
	}
	text, long, key, blob, options := `text COLLATE "C"`, `text COLLATE "C"`, "bytea", "bytea", ""
	conflict := "ON CONFLICT (target, entity, entity_key) DO UPDATE SET kept_at = excluded.kept_at, delivery = excluded.delivery"
	switch d {
	case database.MariaDB:
		const name = "varchar(%d) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"
		text, long = fmt.Sprintf(name, longestEntity), fmt.Sprintf(name, 2*database.MaxName+1)
		key, blob, options = fmt.Sprintf("varbinary(%d)", MaxKey), "longblob", " ENGINE = InnoDB"
		conflict = "ON DUPLICATE KEY UPDATE kept_at = VALUES(kept_at), delivery = VALUES(delivery)"
	case database.SQLite:
		text, long, key, blob = "text", "text", "blob", "blob"
	case database.Postgres:
	}
	p := d.Parameter
	return waitingTable{
		create: fmt.Sprintf(`CREATE TABLE IF NOT EXISTS %s (
	target %s NOT NULL,
	entity %s NOT NULL,
	entity_key %s NOT NULL,
	kept_at bigint NOT NULL,
	delivery %s NOT NULL,
	PRIMARY KEY (target, entity, entity_key)
)%s`, table, long, text, key, blob, options),
		keep:    fmt.Sprintf("INSERT INTO %s (target, entity, entity_key, kept_at, delivery) VALUES (%s) %s", table, d.Parameters(1, 5), conflict),
		expired: fmt.Sprintf("SELECT target, entity, entity_key FROM %s WHERE kept_at < %s LIMIT %d", table, p(1), expirePiece),
		expire:  fmt.Sprintf("DELETE FROM %s WHERE target = %s AND entity = %s AND entity_key = %s AND kept_at < %s", table, p(1), p(2), p(3), p(4)),
		remove:  fmt.Sprintf("DELETE FROM %s WHERE target = %s AND entity = %s AND entity_key = %s", table, p(1), p(2), p(3)),
		find:    fmt.Sprintf("SELECT delivery FROM %s WHERE target = %s AND entity_key = %s AND kept_at >= %s", table, p(1), p(2), p(3)),
	}, nil
}

// keepWaiting notes that deliveries of one row wait, and returns the newest that
// waits: of the batch, or one that was noted elsewhere. It also removes deliveries that
// no longer wait.
func (t *Table) keepWaiting(ctx context.Context, tx database.Tx, batch []*replhub.Delivery) (*replhub.Delivery, error) {
	i := t.inbox
	now := time.Now()
	if i.expireDue(now) {
		if _, err := i.expireWaiting(ctx, tx, now); err != nil {
			return nil, err
		}
	}
	newest := batch[0]
	for _, d := range batch[1:] {
		newest = i.newer(newest, d)
	}
	entity, key := newest.Entity, i.cfg.Key(newest)
	noted, err := t.findWaiting(ctx, tx, key)
	if err != nil {
		return nil, err
	}
	for _, d := range noted {
		if d.Entity == entity && i.newer(newest, d) == d {
			newest = d
		}
	}
	delivery, err := json.Marshal(newest)
	if err != nil {
		return nil, err
	}
	if _, err := tx.ExecContext(ctx, i.waiting.keep, t.cfg.Table, entity, []byte(key), toNano(now), delivery); err != nil {
		return nil, err
	}
	t.kept.add(rowKey{entity, key})
	return newest, nil
}

// expireDue reports whether it is time to look for deliveries that no longer wait. It
// is true for one caller at a time.
func (i *Inbox) expireDue(now time.Time) bool {
	last := i.expired.Load()
	return now.UnixNano()-last >= int64(expireEvery) && i.expired.CompareAndSwap(last, now.UnixNano())
}

// newer is the one of two deliveries of a row that wins over the other; a, where
// neither does.
func (i *Inbox) newer(a, b *replhub.Delivery) *replhub.Delivery {
	policy := i.cfg.Policy
	if policy == nil {
		policy = Newest
	}
	first, err := i.record(a)
	second, err2 := i.record(b)
	if err == nil && err2 == nil && policy(first.stamp, second.stamp) {
		return b
	}
	return a
}

// findWaiting returns the deliveries for a row of the table that wait.
func (t *Table) findWaiting(ctx context.Context, tx database.Tx, key string) ([]*replhub.Delivery, error) {
	var found []*replhub.Delivery
	err := database.Query(ctx, tx, func(row database.Row) error {
		var raw []byte
		if err := row.Scan(&raw); err != nil {
			return err
		}
		d := &replhub.Delivery{}
		if err := json.Unmarshal(raw, d); err != nil {
			return err
		}
		found = append(found, d)
		return nil
	}, t.inbox.waiting.find, t.cfg.Table, []byte(key), toNano(time.Now().Add(-waitingLife)))
	return found, err
}

// removeWaiting forgets deliveries that wait no longer.
func (t *Table) removeWaiting(ctx context.Context, tx database.Tx, batch []*replhub.Delivery) error {
	for _, d := range batch {
		key := t.inbox.cfg.Key(d)
		if _, err := tx.ExecContext(ctx, t.inbox.waiting.remove, t.cfg.Table, d.Entity, []byte(key)); err != nil {
			return err
		}
		t.kept.remove(rowKey{d.Entity, key})
	}
	return nil
}

// keptRows are the rows for which this process has noted that a delivery waits. The
// zero keptRows works.
type keptRows struct {
	mu   sync.Mutex // guards rows
	rows map[rowKey]bool
}

func (k *keptRows) add(row rowKey) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.rows == nil {
		k.rows = map[rowKey]bool{}
	}
	k.rows[row] = true
}

func (k *keptRows) remove(row rowKey) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.rows, row)
}

// among are the deliveries of a batch whose row is one of k.
func (k *keptRows) among(i *Inbox, batch []*replhub.Delivery) []*replhub.Delivery {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.rows) == 0 {
		return nil
	}
	var some []*replhub.Delivery
	for _, d := range batch {
		if k.rows[rowKey{d.Entity, i.cfg.Key(d)}] {
			some = append(some, d)
		}
	}
	return some
}
