package inbox

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/replhub/replhub/database"
)

// errNotVacated says that rows did not give up their unique values now, and may at the
// next try: another row had the random value of a stopgap, since short columns have few
// values; or the catalog had no unique index, although one was met. MariaDB's catalog
// leaves out what it cannot open at the moment.
var errNotVacated = errors.New("the rows cannot give up their unique values now")

// stopgap is what a column holds within a transaction while its row gives up the
// value that another row of the same transaction takes.
type stopgap struct {
	column int // of Table.columns
	rule   rule
	null   bool
}

// stopgaps are one for each unique index: a column of it that takes NULL, or else
// one that takes a random value. The last ones are tried first: the first columns of
// an index are often what its rows have in common, a tenant or a parent.
func (t *Table) stopgaps(s *shape, indexes []uniqueIndex) ([]stopgap, error) {
	var gaps []stopgap
	for _, index := range indexes {
		if !slices.ContainsFunc(index.columns, func(name string) bool { return mapped(t.inbox.cfg.Dialect, t.cfg, name) }) {
			continue // nothing that is written here can meet in it
		}
		gap, ok := t.stopgapOf(s, index)
		if !ok {
			return nil, fmt.Errorf("table %s: no column of the unique index %s can hold another value for a moment", t.cfg.Table, index.name)
		}
		if !slices.ContainsFunc(gaps, func(g stopgap) bool { return g.column == gap.column }) {
			gaps = append(gaps, gap)
		}
	}
	return gaps, nil
}

func (t *Table) stopgapOf(s *shape, index uniqueIndex) (gap stopgap, ok bool) {
	for _, name := range slices.Backward(index.columns) {
		n := slices.IndexFunc(t.columns, func(c column) bool { return sameName(t.inbox.cfg.Dialect, c.Name, name) })
		if n < 0 {
			continue
		}
		bound := s.columns[n]
		if !bound.notNull && !index.nullsMeet {
			return stopgap{column: n, null: true}, true
		}
		if _, can := randomValue(bound.rule); can && !ok {
			gap, ok = stopgap{column: n, rule: bound.rule}, true
		}
	}
	return gap, ok
}

// vacate has the rows that there are of these keys give up their unique values. What
// it leaves in them must be written over in the same transaction.
func (t *Table) vacate(ctx context.Context, tx database.Tx, gaps []stopgap, rows [][]any) error {
	if len(gaps) == 0 {
		return nil
	}
	statement, err := t.vacateStatement(gaps)
	if err != nil {
		return err
	}
	for _, row := range rows {
		args := make([]any, 0, len(gaps)+1)
		for _, gap := range gaps {
			var value any
			if !gap.null {
				value, _ = randomValue(gap.rule)
			}
			args = append(args, value)
		}
		if _, err := tx.ExecContext(ctx, statement, append(args, row[0])...); err != nil {
			if database.IsUnique(err) {
				err = errors.Join(errNotVacated, err)
			}
			return fmt.Errorf("table %s: give up unique values: %w", t.cfg.Table, err)
		}
	}
	return nil
}

// vacateRows is vacate by the catalog's unique indexes.
func (t *Table) vacateRows(ctx context.Context, tx database.Tx, s *shape, rows [][]any) error {
	indexes, err := t.readUniques(ctx, tx)
	if err != nil {
		return err
	}
	if len(indexes) == 0 {
		return fmt.Errorf("table %s: the catalog has no unique index: %w", t.cfg.Table, errNotVacated)
	}
	gaps, err := t.stopgaps(s, indexes)
	if err != nil {
		return err
	}
	return t.vacate(ctx, tx, gaps, rows)
}

func (t *Table) vacateStatement(gaps []stopgap) (string, error) {
	d := t.inbox.cfg.Dialect
	table, err := d.QuotePath(t.cfg.Table)
	if err != nil {
		return "", err
	}
	key, err := d.Quote(t.cfg.Key)
	if err != nil {
		return "", err
	}
	sets := make([]string, len(gaps))
	for n, gap := range gaps {
		name, err := d.Quote(t.columns[gap.column].Name)
		if err != nil {
			return "", err
		}
		sets[n] = name + " = " + d.Parameter(n+1)
	}
	statement := fmt.Sprintf("UPDATE %s SET %s WHERE %s = %s", table, strings.Join(sets, ", "), key, d.Parameter(len(gaps)+1))
	switch d {
	case database.MariaDB:
		return mariadbStrict + statement, nil
	case database.SQLite:
		return statement + " COLLATE BINARY", nil
	default:
		return statement, nil
	}
}

// randomValue is a value for a column of a rule that hardly any row has. Numbers are
// not negative, which checks often demand.
func randomValue(r rule) (value any, ok bool) {
	switch r := r.(type) {
	case textRule:
		most := 24
		for _, bound := range []int{r.runes, r.bytes} {
			if bound > 0 {
				most = min(most, bound)
			}
		}
		return strings.ToLower(rand.Text())[:most], true
	case integerRule:
		return strconv.FormatUint(randomUpTo(min(r.max, math.MaxInt64)), 10), !r.bool
	case decimalRule:
		digits := min(r.integers, 15)
		return strconv.FormatUint(randomUpTo(uint64(math.Pow10(max(digits, 0)))-1), 10), digits > 0
	case floatRule:
		return strconv.FormatUint(randomUpTo(1<<20), 10), r.fixed == nil
	case uuidRule:
		return randomUUID(), true
	case binaryRule:
		bytes := 16
		if r.bytes > 0 && (r.fixed || r.bytes < bytes) {
			bytes = r.bytes
		}
		random := make([]byte, bytes)
		rand.Read(random) // never fails
		return random, true
	case sqliteRule:
		return randomOfSQLite(r)
	default:
		return nil, false
	}
}

func randomOfSQLite(r sqliteRule) (value any, ok bool) {
	switch r.affinity {
	case affinityText, affinityNone:
		return randomValue(textRule{})
	case affinityBlob:
		return randomValue(binaryRule{})
	case affinityReal:
		return float64(randomUpTo(1 << 50)), true
	default:
		return int64(randomUpTo(math.MaxInt64)), !r.json
	}
}

// randomUpTo is a random number from the upper half of those up to most.
func randomUpTo(most uint64) uint64 {
	n, err := rand.Int(rand.Reader, new(big.Int).SetUint64(most/2+1))
	if err != nil {
		return most // the source never fails
	}
	return most - n.Uint64()
}

func randomUUID() string {
	b := make([]byte, 16)
	rand.Read(b)                                // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80 // version 4: MariaDB wants a known one
	h := hex.EncodeToString(b)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
