package inbox

import (
	"database/sql"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/internal/digest"
)

// normalForm says in which form two values of a column are equal where the rule of its
// type stores them as one, and how SQL writes a value for it, with %s for the column.
// What SQL writes must not depend on the session. ok is false for a type without a rule.
func normalForm(d database.Dialect, r rule) (form digest.Form, expression string, ok bool) {
	form, ok = formOf(r)
	if d == database.SQLite {
		return form, sqliteValue, ok
	}
	if d == database.MariaDB {
		return form, mariadbValue(r), ok
	}
	return form, postgresValue(r), ok
}

func formOf(r rule) (digest.Form, bool) {
	switch r := r.(type) {
	case textRule, enumRule, setRule, dateRule, uuidRule, addressRule, bitsRule:
		return digest.Text, true
	case integerRule, decimalRule, floatRule:
		return digest.Number, true
	case boolRule:
		return digest.Bool, true
	case binaryRule:
		return digest.Bytes, true
	case momentRule:
		return digest.Moment, true
	case clockRule:
		return digest.Clock, true
	case jsonTextRule, jsonbRule:
		return digest.JSON, true
	case arrayRule:
		element, ok := formOf(r.element)
		return "[]" + element, ok
	case sqliteRule:
		return r.form(), true
	default:
		return "", false
	}
}

func (s sqliteRule) form() digest.Form {
	switch {
	case s.affinity == affinityBlob:
		return digest.Bytes
	case s.affinity == affinityText:
		return digest.Text
	case s.json:
		return digest.LooseJSON
	case s.affinity == affinityNone:
		return digest.Loose
	default:
		return digest.Number
	}
}

func postgresValue(r rule) string {
	switch r.(type) {
	case binaryRule:
		return "encode(%s, 'hex')"
	case momentRule:
		// As a point in time it is written in UTC, whatever the session's time zone.
		if r.(momentRule).zoned {
			return "to_char(%s AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')"
		}
		return "to_char(%s, 'YYYY-MM-DD HH24:MI:SS.US')"
	case dateRule:
		return "to_char(%s, 'YYYY-MM-DD')"
	case arrayRule:
		return "array_to_json(%s)::text"
	case addressRule:
		return "CASE WHEN %[1]s IS NOT NULL THEN format('%%s', %[1]s) END" // a cast would add the mask
	default:
		return "%s::text"
	}
}

func mariadbValue(r rule) string {
	switch r := r.(type) {
	case binaryRule:
		return "HEX(%s)"
	case integerRule:
		return "CAST(%s + 0 AS char)" // bit(n) is bytes otherwise
	case floatRule:
		_ = r
		return "CAST(%s AS char)"
	default:
		return "CAST(%s AS char)"
	}
}

// mariadbReading precedes what reads rows: a timestamp is written in the session's time
// zone.
const mariadbReading = "SET STATEMENT time_zone = '+00:00' FOR "

// sqliteValue has a letter for the type of the value before it: a column may hold values
// of any type.
const sqliteValue = `CASE typeof(%[1]s) WHEN 'blob' THEN 'b' || hex(%[1]s) WHEN 'real' THEN 'r' || printf('%%!.17g', %[1]s)
	WHEN 'integer' THEN 'n' || %[1]s WHEN 'text' THEN 't' || %[1]s END`

// storedForm is the normal form of what the expression of [normalForm] gave.
func storedForm(d database.Dialect, b *boundColumn, form digest.Form, value sql.NullString) (string, error) {
	if !value.Valid {
		return digest.Null, nil
	}
	text := value.String
	if d == database.SQLite {
		return storedSQLite(form, text)
	}
	if form == digest.Bytes {
		raw, err := hex.DecodeString(text)
		if err != nil {
			return "", fmt.Errorf("column %q: %w", b.name, err)
		}
		return digest.OfBytes(raw), nil
	}
	if r, ok := b.rule.(textRule); ok && r.padded {
		text = strings.TrimRight(text, " ")
	}
	return form.OfStored(text), nil
}

func storedSQLite(form digest.Form, text string) (string, error) {
	letter, text := text[:1], text[1:]
	switch letter {
	case "b":
		raw, err := hex.DecodeString(text)
		return digest.OfBytes(raw), err
	case "r":
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return "", err
		}
		return digest.Number.OfStored(strconv.FormatFloat(f, 'g', -1, 64)), nil
	case "n":
		return digest.Number.OfStored(text), nil
	}
	if form == digest.LooseJSON {
		return form.OfStored(text), nil
	}
	return digest.OfText(text), nil
}
