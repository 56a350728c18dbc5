package inbox_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write TYPES.md from what is found")

// golden compares text with a file, or writes it.
func golden(t *testing.T, file, text string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	have, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) == text {
		return
	}
	want := strings.Split(text, "\n")
	for n, line := range strings.Split(string(have), "\n") {
		if n >= len(want) || line != want[n] {
			t.Fatalf("%s differs from what is found, first in line %d:\n file  %s\n found %s\ngo test -run '^TestTypes$' ./inbox -update writes it",
				file, n+1, line, append(want, "")[min(n, len(want))])
		}
	}
	t.Fatalf("%s lacks lines at its end; go test -run '^TestTypes$' ./inbox -update writes it", file)
}

const typesIntroduction = `# What becomes of a value

<!-- Written by TestTypes: go test -run '^TestTypes$' ./inbox -update -->

A ` + "`Table`" + ` of package inbox reads the types of its columns from the database and decides by them, in Go. Each JSON value in each column type is one of three:

- **exactly**: what is read back is the value's own text;
- **converted**: by a rule below, which loses nothing; the tables show what is read back;
- **refused**: with a ` + "`*inbox.ValueError`" + ` that names entity, key, column, type, value and reason. Nothing is written.

It is never another value, whatever the session: on MariaDB the tables are the same with and without a strict ` + "`sql_mode`" + `, and time zones of sessions do not count.

## Rules

| JSON | column | rule |
|---|---|---|
| null | any | NULL; refused where the column is NOT NULL |
| a missing member | any | the Column's Default, else NULL |
| a member below a null | any | as a missing one; below any other value that is no object it is refused |
| a string | text | its characters. Invalid UTF-8 and half a surrogate pair are no text; a NUL only on MariaDB; no characters beyond the column's length and character set; no blank at the end of a char(n) |
| a number, bool, object or array | text | the JSON as it is written |
| a number | integers, bit(n) and year of MariaDB | a number of that value: 1.0 and 1e3 are whole. No other value, no other range |
| a number | numeric, decimal | a number of that value; refused where the column would round |
| a number | float types | a number that is printed again as the same value: at most about 15 digits for a double, 6 for a float. What would be rounded is refused |
| a string | integers, numeric, decimal | only a number in full: digits, without a leading zero, a plus, blanks or an exponent; for integers without a point |
| a bool | boolean, tinyint(1), bit(1), numbers of SQLite | itself; 1 and 0 where there is no boolean. No other value is one |
| a string | binary | its bytes in standard base64 with padding |
| a string | date | 2006-01-02, of the years 1 to 9999, without a time |
| a string | time | 15:04:05 with a fraction or not, without an offset; time with time zone: with one |
| a string | timestamp of PostgreSQL, datetime | RFC 3339, a blank for the T or not. **With an offset: converted to UTC.** Without one: as it is |
| a string | timestamp with time zone, timestamp of MariaDB | RFC 3339 with its offset: that point in time. Without an offset it is refused, since the session's time zone would decide |
| a string | any of date and time | refused where the column keeps fewer digits of a second |
| a string | uuid | lower case with dashes, as it is read back |
| a string | enum, set | a label, exactly; labels of a set in the order of the type |
| a string | JSON | a JSON string; JSON text in it is not parsed |
| any | json of PostgreSQL and MariaDB | the JSON as it is written |
| any | jsonb | the value: order of members and spelling of numbers are not kept. Two members of one name and a NUL are refused |
| an array | arrays of PostgreSQL | each element by its type's rule; arrays in arrays are refused |
| any | SQLite | by the column's affinity: a number as an integer of 64 bits or a float that is printed again as the same value; a string as text, where SQLite would not make a number of it |
| any | other types | refused, unless the Column has a Convert |

What a Convert function returns is given to the database as it is, without these rules; a json.RawMessage that it returns is a JSON value, for which they hold. The package has Convert functions for what is common:
UnixSeconds, UnixMillis, Truncate, AssumeUTC, LowerUUID, Hex and ParseJSON.

Types are read again after a minute, after an error of the database, and before a value is refused by types older than a second. An ALTER TABLE that narrows a column of PostgreSQL or SQLite while deliveries are applied can round or pad what is written until then. One that gives the key's column a type or collation which takes different keys for one can write over the row of another key until then. A unique index holds from the moment it is there: no row is written over because a row of another key has its value.

In SQLite, an ON CONFLICT clause of the table's own constraints does not hold for these writes: a row that breaks a constraint is an error, and no other row is deleted for it.

## Keys

A key is 1 to 1024 bytes of UTF-8 without control characters and without white space at its ends; two keys are the same if their bytes are. A JSON number's text is the key, so 42, 42.0 and 4.2e1 are three keys.
Each key has a row of its own, and each row one key. So a key column of integers takes a key only as digits without a leading zero; of numeric as the shortest form; of uuid in lower case; of date as 2006-01-02; of bytes as base64. Any other key is refused, for deletes as well.

| database | key columns | refused at the first use, with the statement that corrects it |
|---|---|---|
| PostgreSQL | text, varchar, integers, numeric, uuid, date, bytea (base64), enums | char(n), citext, collations that are not deterministic, float types, and the rest |
| MariaDB | varchar with a collation that ends in _nopad_bin, integers, uuid, date, varbinary (base64) | every other collation, char(n), decimal, float types, and the rest |
| SQLite | TEXT, INTEGER, BLOB (base64), NUMERIC and columns without a type (numbers as integers, all else as text), unique by a BINARY index | NOCASE and RTRIM indexes, REAL, JSON |

`

// writeSamples lists the values; the tables name those alone that are stored.
func writeSamples(out *strings.Builder) {
	out.WriteString("## Tables\n\nEach of these values was stored in, or refused by, each type:\n\n")
	for n, s := range samples() {
		if n > 0 {
			out.WriteString(" · ")
		}
		out.WriteString(labelled(s))
	}
	out.WriteString("\n\nA row names what was stored, and what was refused where that is less. **What a row does not name was refused.**\n")
}

func labelled(s sample) string {
	if s.label == s.raw {
		return shownCell(s.raw)
	}
	return s.label
}

func writeTypes(out *strings.Builder, d typed, cells [][]cell) {
	fmt.Fprintf(out, "\n### %s\n\n| type | exactly | converted |\n|---|---|---|\n", d.name)
	for n, c := range d.types {
		var exactly, converted, refused []string
		for s, sample := range samples() {
			switch cell := cells[n][s]; {
			case cell.refused != "":
				refused = append(refused, labelled(sample))
			case exact(sample.raw, cell.stored):
				exactly = append(exactly, labelled(sample))
			default:
				converted = append(converted, labelled(sample)+" → "+shownCell(cell.stored))
			}
		}
		name := c.column
		if name == "" {
			name = "none"
		}
		if len(exactly) > len(samples())/2 {
			but := ""
			if len(refused) > 0 {
				but = ", but refused: " + strings.Join(refused, " · ")
			}
			exactly = []string{"all that is not converted" + but}
		}
		fmt.Fprintf(out, "| %s | %s | %s |\n", name, among(exactly), among(converted))
	}
}

func among(cells []string) string {
	if len(cells) == 0 {
		return "–"
	}
	return strings.Join(cells, " · ")
}
