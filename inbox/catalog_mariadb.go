package inbox

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/replhub/replhub/database"
)

// Each query states schema and table as values: with these the server opens one
// table's files, without them those of all tables.
const (
	mariadbColumns = `SELECT COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, IS_NULLABLE = 'NO',
	COLUMN_DEFAULT IS NOT NULL OR EXTRA LIKE '%auto_increment%', IS_GENERATED = 'ALWAYS' OR EXTRA LIKE '%GENERATED%', COLUMN_KEY = 'PRI',
	COALESCE(CHARACTER_MAXIMUM_LENGTH, 0), COALESCE(CHARACTER_OCTET_LENGTH, 0), COALESCE(NUMERIC_PRECISION, 0),
	COALESCE(NUMERIC_SCALE, -1), COALESCE(DATETIME_PRECISION, 0), COALESCE(CHARACTER_SET_NAME, ''), COALESCE(COLLATION_NAME, '')
FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION`
	// Indexes of one column, the whole of it, whose values are unique.
	mariadbUnique = `SELECT MIN(COLUMN_NAME), INDEX_NAME FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? AND NON_UNIQUE = 0
GROUP BY INDEX_NAME HAVING COUNT(*) = 1 AND MAX(SUB_PART) IS NULL`
	// All that are unique, by their columns, or the first characters of these.
	mariadbUniques = `SELECT GROUP_CONCAT(COLUMN_NAME, COALESCE(CONCAT('(', SUB_PART, ')'), '') ORDER BY SEQ_IN_INDEX) FROM information_schema.STATISTICS
WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? AND NON_UNIQUE = 0 GROUP BY INDEX_NAME`
	// JSON is longtext with a check; nothing else tells of it.
	mariadbJSON   = `SELECT CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = ? AND TABLE_NAME = ?`
	mariadbTables = `SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_TYPE = 'BASE TABLE' AND TABLE_SCHEMA = ? ORDER BY 1 LIMIT 10`
)

func readMariaDB(ctx context.Context, tx database.Tx, schema, table string) (catalog, error) {
	var c catalog
	var client, connection, current string
	err := database.QueryRow(ctx, tx, []any{&client, &connection, &current}, "SELECT @@character_set_client, @@character_set_connection, COALESCE(DATABASE(), '')")
	if err != nil {
		return catalog{}, err
	}
	if client != "utf8mb4" || connection != "utf8mb4" {
		c.problems = append(c.problems, fmt.Sprintf("the session's character set is %s, which changes text on its way: "+
			"take charset and collation out of the DSN, or say charset=utf8mb4", client))
	}
	schema = cmp.Or(schema, current)
	unique, err := uniqueIndexes(ctx, tx, schema, table)
	if err != nil {
		return catalog{}, err
	}
	if c.uniques, err = names(ctx, tx, mariadbUniques, schema, table); err != nil {
		return catalog{}, err
	}
	checks, err := names(ctx, tx, mariadbJSON, schema, table)
	if err != nil {
		return catalog{}, err
	}
	err = database.Query(ctx, tx, func(row database.Row) error {
		var col catalogColumn
		var t mariadbType
		err := row.Scan(&col.name, &t.name, &t.full, &col.notNull, &col.hasDefault, &col.generated, &col.primary,
			&t.runes, &t.bytes, &t.precision, &t.scale, &t.fraction, &t.charset, &t.collation)
		if err != nil {
			return err
		}
		t.json = slices.Contains(checks, "json_valid(`"+strings.ReplaceAll(col.name, "`", "``")+"`)")
		col.typeName = t.full
		if t.collation != "" {
			col.typeName += " COLLATE " + t.collation
		}
		col.index, col.unique = unique[col.name]
		if !t.listed() {
			col.index = ""
		}
		col.rule = t.rule()
		col.blurs = t.blurs(col.rule)
		col.distinct = t.distinct()
		c.columns = append(c.columns, col)
		return nil
	}, mariadbColumns, schema, table)
	if err == nil && len(c.columns) == 0 {
		c.others, err = names(ctx, tx, mariadbTables, schema)
	}
	return c, err
}

// uniqueIndexes are the names of an index for each column that has values unique.
func uniqueIndexes(ctx context.Context, tx database.Tx, schema, table string) (map[string]string, error) {
	indexes := map[string]string{}
	err := database.Query(ctx, tx, func(row database.Row) error {
		var column, index string
		err := row.Scan(&column, &index)
		indexes[column] = index
		return err
	}, mariadbUnique, schema, table)
	return indexes, err
}

// mariadbStrict precedes what writes a row. In a session without a strict mode
// MariaDB cuts off and guesses instead of refusing; a timestamp is read in the
// session's time zone; and a 0 for a column that numbers itself is another number.
const mariadbStrict = "SET STATEMENT sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_AUTO_VALUE_ON_ZERO', time_zone = '+00:00' FOR "

// mariadbType is a column's type as information_schema has it.
type mariadbType struct {
	name, full         string
	runes, bytes       int
	precision, scale   int
	fraction           int
	charset, collation string
	json               bool
}

func (t mariadbType) unsigned() bool { return strings.Contains(t.full, "unsigned") }

func (t mariadbType) rule() rule {
	switch t.name {
	case "char", "varchar", "tinytext", "text", "mediumtext", "longtext":
		return t.text()
	case "tinyint":
		r := t.integer(8)
		r.bool = strings.HasPrefix(t.full, "tinyint(1)")
		return r
	case "smallint":
		return t.integer(16)
	case "mediumint":
		return t.integer(24)
	case "int":
		return t.integer(32)
	case "bigint":
		return t.integer(64)
	case "bit":
		return integerRule{dialect: database.MariaDB, max: math.MaxUint64 >> (64 - t.precision), bool: t.precision == 1}
	case "year":
		return integerRule{dialect: database.MariaDB, min: 1901, max: 2155}
	case "decimal":
		return decimalRule{integers: t.precision - t.scale, fraction: t.scale, unsigned: t.unsigned()}
	case "float":
		return t.float(32)
	case "double":
		return t.float(64)
	default:
		return t.rarer()
	}
}

func (t mariadbType) rarer() rule {
	switch t.name {
	case "date":
		return dateRule{}
	case "time":
		return clockRule{fraction: t.fraction}
	case "datetime":
		return momentRule{fraction: t.fraction}
	case "timestamp":
		// Until MariaDB 11.5 its range ends with the 32 bits of Unix time.
		return momentRule{fraction: t.fraction, zoned: true, min: time.Unix(1, 0).UTC(), max: time.Unix(math.MaxInt32, 0).UTC()}
	case "binary":
		return binaryRule{bytes: t.bytes, fixed: true}
	case "varbinary", "tinyblob", "blob", "mediumblob", "longblob":
		return binaryRule{bytes: t.bytes}
	case "uuid":
		return uuidRule{}
	case "enum":
		return enumRule{labelsOf(t.full)}
	case "set":
		return setRule{labelsOf(t.full)}
	default:
		return unknownRule{}
	}
}

func (t mariadbType) text() rule {
	if t.json {
		return jsonTextRule{depth: 32}
	}
	r := textRule{nul: true, padded: t.name == "char", bytes: t.bytes}
	if t.name == "char" || t.name == "varchar" {
		r.runes, r.bytes = t.runes, 0
	}
	switch t.charset {
	case "utf8mb4":
	case "utf8mb3", "utf8":
		r.repertoire = func(c rune) bool { return c <= 0xffff }
	case "latin1":
		r.repertoire, r.width = inLatin1, utf8.RuneCountInString
	case "ascii":
		r.repertoire = func(c rune) bool { return c <= 0x7f }
	default:
		// What all have; up to four bytes each.
		r.repertoire, r.width = func(c rune) bool { return c <= 0x7f }, func(s string) int { return 4 * len(s) }
	}
	return r
}

// inLatin1 reports whether MariaDB's latin1, which is Windows' code page 1252, has
// c.
func inLatin1(c rune) bool {
	return c <= 0x7f || c >= 0xa0 && c <= 0xff || strings.ContainsRune("€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ", c)
}

func (t mariadbType) integer(bits int) integerRule {
	r := integerRule{dialect: database.MariaDB, min: -1 << (bits - 1), max: 1<<(bits-1) - 1}
	if t.unsigned() {
		r.min, r.max = 0, math.MaxUint64>>(64-bits)
	}
	return r
}

func (t mariadbType) float(bits int) rule {
	r := floatRule{bits: bits, unsigned: t.unsigned()}
	if bits == 32 {
		r.digits = 6
	}
	if t.scale >= 0 {
		r.fixed = &decimalRule{integers: t.precision - t.scale, fraction: t.scale}
	}
	return r
}

// listed reports whether literals of the type can stand in a list with a column of it,
// and the list's values are of the type then.
func (t mariadbType) listed() bool {
	return strings.HasSuffix(t.name, "int") || t.charset == "utf8mb4"
}

// blurs says why the type cannot be a key's.
func (t mariadbType) blurs(r rule) string {
	_, ok := r.(keyRule)
	switch {
	case !ok || t.name == "enum":
		return "the type has several texts for one value, or none that is known here"
	case t.name == "decimal":
		return "MariaDB compares a decimal with a text as floats, which takes long numbers that differ for one"
	case t.name == "bit" || t.name == "year":
		return "the type has several texts for one value"
	case t.name == "char":
		return "char(n) takes keys that differ in blanks at their end for one"
	case t.collation != "" && !strings.HasSuffix(t.collation, "_nopad_bin"):
		return "its collation takes keys that differ in case, in accents or in blanks at their end for one"
	default:
		return ""
	}
}

// distinct is a type that tells keys apart, with room for those that the column
// has room for.
func (t mariadbType) distinct() string {
	length := t.runes
	if t.name != "char" && t.name != "varchar" {
		length = 255
	}
	return fmt.Sprintf("varchar(%d) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin", min(length, 768)) // 3072 bytes, an index's longest
}

// labelsOf are the labels of an enum or set by its type, such as enum('a','b”s').
func labelsOf(full string) []string {
	var labels []string
	_, rest, more := strings.Cut(full, "'")
	for more {
		var label strings.Builder
		for {
			var part string
			part, rest, _ = strings.Cut(rest, "'")
			label.WriteString(part)
			if !strings.HasPrefix(rest, "'") {
				break
			}
			label.WriteByte('\'') // two are one within a label
			rest = rest[1:]
		}
		labels = append(labels, label.String())
		_, rest, more = strings.Cut(rest, "'")
	}
	return labels
}
