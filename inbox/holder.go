package inbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/replhub/replhub/database"
)

// holderQuery asks for the keys of the rows that have the values of row in a unique
// index. It is not ok where that cannot be asked, or no row can be in the way.
func (s *search) holderQuery(index uniqueIndex, row []any) (query string, args []any, ok bool) {
	t := s.table
	table, err := t.inbox.cfg.Dialect.QuotePath(t.cfg.Table)
	if err != nil {
		return "", nil, false
	}
	key, err := t.inbox.cfg.Dialect.Quote(t.cfg.Key)
	if err != nil {
		return "", nil, false
	}
	if t.inbox.cfg.Dialect == database.MariaDB {
		return s.mariadbHolders(index, row, table, key)
	}
	return s.postgresHolders(index, row, table, key)
}

// postgresHolders has PostgreSQL compute the index's expressions of the new row and
// compare them with those of the rows there are. A column that is not mapped has the
// value that the row has already.
func (s *search) postgresHolders(index uniqueIndex, row []any, table, key string) (query string, args []any, ok bool) {
	if len(index.expressions) == 0 {
		return "", nil, false
	}
	keyText, ok := valueText(row[0])
	if !ok {
		return "", nil, false
	}
	args = []any{keyText}
	columns := []string{"$1::text::" + s.shape.key.castName + " AS " + key}
	for n, bound := range s.shape.columns {
		name, err := database.Postgres.Quote(s.table.columns[n].Name)
		if err != nil {
			return "", nil, false
		}
		var text any
		if row[n+1] != nil {
			if text, ok = valueText(row[n+1]); !ok {
				return "", nil, false
			}
		}
		args = append(args, text)
		columns = append(columns, fmt.Sprintf("$%d::text::%s AS %s", len(args), bound.castName, name))
	}
	for _, name := range index.columns {
		if mapped(database.Postgres, s.table.cfg, name) {
			continue
		}
		quoted, err := database.Postgres.Quote(name)
		if err != nil {
			return "", nil, false
		}
		columns = append(columns, fmt.Sprintf("(SELECT o.%s FROM %s o WHERE o.%s = $1::text::%s) AS %s", quoted, table, key, s.shape.key.castName, quoted))
	}
	selected, equal := make([]string, len(index.expressions)), make([]string, len(index.expressions))
	for n, expression := range index.expressions {
		selected[n] = fmt.Sprintf("%s AS replhub_e%d", expression, n)
		equal[n] = fmt.Sprintf("h.replhub_e%d = n.replhub_e%d", n, n)
		if index.nullsMeet {
			equal[n] = fmt.Sprintf("h.replhub_e%d IS NOT DISTINCT FROM n.replhub_e%d", n, n)
		}
	}
	where := ""
	if index.predicate != "" {
		where = " WHERE " + index.predicate
	}
	return fmt.Sprintf("SELECT h.replhub_key::text FROM (SELECT %s FROM (SELECT %s) AS replhub_row%s) AS n JOIN (SELECT %s AS replhub_key, %s FROM %s%s) AS h ON %s",
		strings.Join(selected, ", "), strings.Join(columns, ", "), where, key, strings.Join(selected, ", "), table, where, strings.Join(equal, " AND ")), args, true
}

func (s *search) mariadbHolders(index uniqueIndex, row []any, table, key string) (query string, args []any, ok bool) {
	equal := make([]string, len(index.mariadb))
	for n, part := range index.mariadb {
		name := part.column
		if part.generated != "" {
			condition, values, ok := s.mariadbGenerated(part, row, table)
			if !ok {
				return "", nil, false
			}
			equal[n], args = condition, append(args, values...)
			continue
		}
		value, known := row[0], sameName(database.MariaDB, name, s.table.cfg.Key)
		if at := slices.IndexFunc(s.table.columns, func(c column) bool { return sameName(database.MariaDB, c.Name, name) }); at >= 0 {
			value, known = row[at+1], true
		}
		quoted, err := database.MariaDB.Quote(name)
		if err != nil || !known || value == nil {
			return "", nil, false
		}
		equal[n] = quoted + " = ?"
		args = append(args, value)
		if part.length > 0 {
			equal[n] = fmt.Sprintf("LEFT(%s, %d) = LEFT(?, %d)", quoted, part.length, part.length)
		}
	}
	return mariadbStrict + fmt.Sprintf("SELECT CAST(%s AS CHAR) FROM %s WHERE %s", key, table, strings.Join(equal, " AND ")), args, true
}

// mariadbGenerated has MariaDB compute a generated column of the new row, from values of
// the columns' own types. It is not ok where the column reads others than the mapped
// ones.
func (s *search) mariadbGenerated(part mariadbPart, row []any, table string) (condition string, args []any, ok bool) {
	generated, err := database.MariaDB.Quote(part.column)
	if err != nil {
		return "", nil, false
	}
	quoted := make([]string, 0, len(row))
	expression := part.generated
	for _, name := range append([]string{s.table.cfg.Key}, columnNames(s.table.cfg.Columns)...) {
		one, err := database.MariaDB.Quote(name)
		if err != nil {
			return "", nil, false
		}
		quoted = append(quoted, one)
		expression = strings.ReplaceAll(expression, one, "")
	}
	if strings.Contains(expression, "`") {
		return "", nil, false
	}
	return fmt.Sprintf("%s = (SELECT %s FROM (SELECT %s FROM %s WHERE FALSE UNION ALL SELECT %s) AS replhub_row)",
		generated, part.generated, strings.Join(quoted, ", "), table, database.MariaDB.Parameters(1, len(quoted))), row, true
}

// probe inserts row under another key and has SQLite say which row is in its way.
// The rows of the group have given up their values.
func (s *search) probe(ctx context.Context, row []any) (key string, found bool, err error) {
	t := s.table
	other, ok := randomValue(s.shape.key.rule)
	if !ok {
		return "", false, nil
	}
	names := make([]string, 0, len(t.columns)+1)
	for _, name := range append([]string{t.cfg.Key}, columnNames(t.cfg.Columns)...) {
		quoted, err := database.SQLite.Quote(name)
		if err != nil {
			return "", false, err
		}
		names = append(names, quoted)
	}
	table, err := database.SQLite.QuotePath(t.cfg.Table)
	if err != nil {
		return "", false, err
	}
	if _, err := s.tx.ExecContext(ctx, "SAVEPOINT replhub_probe"); err != nil {
		return "", false, err
	}
	var probed, stored string
	err = database.QueryRow(ctx, s.tx, []any{&stored, &probed}, fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s) ON CONFLICT DO UPDATE SET %[4]s = %[4]s RETURNING CAST(%[4]s AS TEXT), CAST(? AS TEXT)",
		table, strings.Join(names, ", "), database.SQLite.Parameters(1, len(names)), names[0]), append(append([]any{other}, row[1:]...), other)...)
	_, back := s.tx.ExecContext(ctx, "ROLLBACK TO replhub_probe")
	if database.Classify(err) == database.Waits { // a foreign key, which says nothing of unique values
		err = nil
	}
	return stored, err == nil && back == nil && stored != "" && stored != probed, errors.Join(err, back)
}
