package inbox

import (
	"context"
	"encoding/json"
	"fmt"
	"math"

	"github.com/replhub/replhub/database"
)

// postgresColumns has a row for each column. A domain is followed down to the type
// below it; of an array the element's type stands in element.
const postgresColumns = `WITH RECURSIVE base AS (
	SELECT a.attnum, a.atttypid AS type, a.atttypmod AS typmod, a.attnotnull AS required
	FROM pg_catalog.pg_attribute a WHERE a.attrelid = to_regclass($1::text) AND a.attnum > 0 AND NOT a.attisdropped
	UNION ALL
	SELECT b.attnum, t.typbasetype, greatest(t.typtypmod, b.typmod), b.required OR t.typnotnull
	FROM base b JOIN pg_catalog.pg_type t ON t.oid = b.type WHERE t.typtype = 'd'
)
SELECT a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod), pg_catalog.format_type(b.type, -1), b.required,
	a.atthasdef OR a.attidentity <> '' OR d.typdefault IS NOT NULL, a.attgenerated <> '' OR a.attidentity = 'a',
	EXISTS (SELECT 1 FROM pg_catalog.pg_index i WHERE i.indrelid = a.attrelid AND i.indisunique AND i.indisvalid AND i.indimmediate
		AND i.indpred IS NULL AND i.indexprs IS NULL AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum),
	EXISTS (SELECT 1 FROM pg_catalog.pg_index i WHERE i.indrelid = a.attrelid AND i.indisprimary AND a.attnum = ANY (i.indkey)),
	EXISTS (SELECT 1 FROM pg_catalog.pg_collation l WHERE NOT l.collisdeterministic AND (l.oid = a.attcollation OR l.oid IN (
		SELECT i.indcollation[0] FROM pg_catalog.pg_index i WHERE i.indrelid = a.attrelid AND i.indisunique AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum))),
	CASE WHEN e.oid IS NULL THEN t.typname ELSE e.typname END::text, b.typmod, e.oid IS NOT NULL,
	coalesce((SELECT json_agg(n.enumlabel ORDER BY n.enumsortorder) FROM pg_catalog.pg_enum n WHERE n.enumtypid = coalesce(e.oid, t.oid))::text, '')
FROM base b
JOIN pg_catalog.pg_attribute a ON a.attrelid = to_regclass($1::text) AND a.attnum = b.attnum
JOIN pg_catalog.pg_type d ON d.oid = a.atttypid
JOIN pg_catalog.pg_type t ON t.oid = b.type AND t.typtype <> 'd'
LEFT JOIN pg_catalog.pg_type e ON t.typcategory = 'A' AND e.oid = t.typelem
ORDER BY a.attnum`

const postgresTables = `SELECT c.oid::regclass::text FROM pg_catalog.pg_class c
WHERE c.relkind IN ('r', 'p') AND c.relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema') ORDER BY 1 LIMIT 10`

func readPostgres(ctx context.Context, tx database.Tx, table string) (catalog, error) {
	path, err := database.Postgres.QuotePath(table)
	if err != nil {
		return catalog{}, err
	}
	var c catalog
	err = database.Query(ctx, tx, func(row database.Row) error {
		var col catalogColumn
		var t postgresType
		var labels string
		err := row.Scan(&col.name, &col.typeName, &col.castName, &col.notNull, &col.hasDefault, &col.generated, &col.unique, &col.primary,
			&t.blurred, &t.name, &t.typmod, &t.array, &labels)
		if err != nil {
			return err
		}
		if labels != "" {
			if err := json.Unmarshal([]byte(labels), &t.labels); err != nil {
				return fmt.Errorf("labels of %s: %w", col.typeName, err)
			}
		}
		col.rule = t.rule()
		col.blurs = t.blurs(col.rule)
		col.distinct = `text COLLATE "C"`
		c.columns = append(c.columns, col)
		return nil
	}, postgresColumns, path)
	if err == nil && len(c.columns) == 0 {
		c.others, err = names(ctx, tx, postgresTables)
	}
	return c, err
}

// postgresType is a column's type as the catalog has it.
type postgresType struct {
	name   string // of an array, the element's
	typmod int32
	array  bool
	labels []string
	// blurred says that its collation takes different texts for one.
	blurred bool
}

func (t postgresType) rule() rule {
	element := t.element()
	if t.array {
		if _, unknown := element.(unknownRule); unknown {
			return element
		}
		return arrayRule{element}
	}
	return element
}

// blurs says why the type cannot be a key's.
func (t postgresType) blurs(r rule) string {
	_, ok := r.(keyRule)
	switch {
	case !ok:
		return "the type has several texts for one value, or none that is known here"
	case t.name == "citext":
		return "citext takes keys that differ in case for one"
	case t.name == "bpchar":
		return "char(n) takes keys that differ in blanks at their end for one"
	case t.blurred:
		return "its collation is not deterministic: it takes different keys for one"
	default:
		return ""
	}
}

func (t postgresType) element() rule {
	if t.labels != nil {
		return enumRule{t.labels}
	}
	switch t.name {
	case "text", "citext":
		return textRule{}
	case "varchar":
		return textRule{runes: t.modified(4)}
	case "bpchar":
		return textRule{runes: t.modified(4), padded: true}
	case "int2":
		return integerRule{min: math.MinInt16, max: math.MaxInt16}
	case "int4":
		return integerRule{min: math.MinInt32, max: math.MaxInt32}
	case "int8":
		return integerRule{min: math.MinInt64, max: math.MaxInt64}
	case "numeric":
		return t.numeric()
	case "float4":
		return floatRule{bits: 32}
	case "float8":
		return floatRule{bits: 64}
	case "bool":
		return boolRule{}
	case "bytea":
		return binaryRule{}
	case "uuid":
		return uuidRule{}
	case "json":
		return jsonTextRule{surrogates: true}
	case "jsonb":
		return jsonbRule{}
	default:
		return t.rarer()
	}
}

func (t postgresType) rarer() rule {
	switch t.name {
	case "date":
		return dateRule{}
	case "time":
		return clockRule{fraction: t.fraction()}
	case "timetz":
		return clockRule{fraction: t.fraction(), zoned: true}
	case "timestamp":
		return momentRule{fraction: t.fraction()}
	case "timestamptz":
		return momentRule{fraction: t.fraction(), zoned: true, suffix: "+00"}
	case "inet":
		return addressRule{}
	case "cidr":
		return addressRule{network: true}
	case "bit":
		return bitsRule{length: max(1, t.modified(0))}
	case "varbit":
		return bitsRule{length: t.modified(0), varying: true}
	default:
		return unknownRule{}
	}
}

// modified is the type's modifier less what the database adds to it; 0 is none.
func (t postgresType) modified(added int32) int {
	if t.typmod < added {
		return 0
	}
	return int(t.typmod - added)
}

// fraction is how many digits of a second the type keeps.
func (t postgresType) fraction() int {
	if t.typmod < 0 {
		return 6
	}
	return int(t.typmod)
}

// numeric has its precision in the upper half of the modifier, and the scale, of
// 11 bits with a sign, in the lower.
func (t postgresType) numeric() rule {
	if t.typmod < 4 {
		return unboundNumeric()
	}
	precision, scale := (t.typmod-4)>>16&0xffff, (t.typmod-4)&0x7ff^1024-1024
	return decimalRule{integers: int(precision - scale), fraction: int(scale)}
}
