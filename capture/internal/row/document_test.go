package row_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

const introduction = `# What becomes of a row of PostgreSQL

<!-- Written by TestTypes: go test -run '^TestTypes$' ./capture/internal/row -update -->

` + "`replhub capture postgres`" + ` turns each row into a JSON object with a member for each column, in the order of the columns. A value is what PostgreSQL prints for it, in UTC and under fixed settings, so the settings of roles, databases and sessions do not count. Changes and the rows of a snapshot have the same bytes.

## Values

| type | JSON | rule |
|---|---|---|
| any | null | SQL NULL |
| boolean | true, false | |
| smallint, integer, bigint, oid | number | All digits. A reader whose numbers are floats of 64 bits must keep the text of numbers beyond 2^53, as ` + "`json.Number`" + ` does in Go |
| numeric | number | All digits, with the zeros at the end: 1.10. NaN, Infinity and -Infinity are strings |
| real, double precision | number | The shortest digits that are read as the same float of that size. NaN, Infinity and -Infinity are strings |
| text, varchar, name, citext, "char", enums | string | The characters |
| char(n) | string | Without the blanks that pad it, which are no part of the value |
| bytea | string | Standard base64 with padding |
| uuid | string | Lower case with dashes |
| date | string | 2024-01-31. Years beyond 9999, years BC and the infinities: PostgreSQL's text |
| time | string | 15:04:05.678 |
| time with time zone | string | 15:04:05.678+01:00, with its own offset |
| timestamp | string | 2024-01-31T15:04:05.678, without an offset. Others as for date |
| timestamp with time zone | string | 2024-01-31T15:04:05.678Z, in UTC. Others as for date |
| interval | string | ISO 8601: P1Y2M3DT4H5M6.789S |
| json, jsonb | the JSON | As PostgreSQL prints it: json as it was written, jsonb with every digit of its numbers. A JSON null is null, like SQL NULL |
| arrays | array | Each element by the rule of its type, NULL as null, several dimensions as arrays in arrays. An array whose subscripts do not begin with 1, and one of several dimensions of json, are a string of PostgreSQL's text |
| domains | | As the type below the domain |
| other types: composite, ranges, network addresses, bit, money, xml, hstore, geometric and the types of extensions | string | PostgreSQL's text |

A generated column is in no event. A value that cannot be part of JSON (text that is not valid UTF-8, in a database of encoding SQL_ASCII) stops the capture with an alarm; it is never replaced.

## Keys

The key of a row is its primary key, or the columns that ` + "`--key`" + ` names.

- **One column**: the text of its JSON value. A string gives its characters, all else its JSON.
- **Several columns**: a JSON array of their values, in the order of the table's columns, without white space: ` + "`[42,\"acme\"]`" + `. In a string, only the quote, the backslash and the control characters U+0000 to U+001F and U+007F are escaped, the latter all as ` + "`\\u00xx`" + `.
- A numeric in a key has no zeros at the end of its fraction, because 1.10 and 1.1 are one key to PostgreSQL.

Two rows never have one key. A key has 1 to 1024 bytes without control characters and without white space at its ends. A row whose key is none stops the capture with an alarm; its key is never altered. Types whose equal values have several texts cannot be keys: real, double precision, interval, money, json, jsonb, xml, arrays, and types that are not named in the table above.

## Examples

Each of these values was read from PostgreSQL, by a SELECT and by logical decoding, and then applied with package inbox. *Same type* is a column of that type on another PostgreSQL. In a column of text, JSON that is no string is the JSON as it is written.

| type | value | JSON | same type | MariaDB | SQLite |
|---|---|---|---|---|---|
`

const documentFile = "../../TYPES.md"

// document compares TYPES.md with what was found, or writes it.
func document(t *testing.T, found string) {
	t.Helper()
	text := introduction + found
	if *update {
		if err := os.WriteFile(documentFile, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	have, err := os.ReadFile(documentFile)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(text, "\n")
	for n, line := range strings.Split(string(have), "\n") {
		if n >= len(want) || line != want[n] {
			t.Fatalf("TYPES.md differs from what is found in line %d:\n file  %s\n found %s\ngo test -run '^TestTypes$' ./capture/internal/row -update writes it", n+1, line, append(want, "")[min(n, len(want))])
		}
	}
}

// cell is code in a table's cell.
func cell(text string) string {
	if text == "" {
		return ""
	}
	return "`" + strings.NewReplacer("|", `\|`, "`", "'").Replace(text) + "`"
}

func same(source, stored string) string {
	switch stored {
	case refusedText:
		return stored
	case source:
		return "same"
	default:
		return cell(stored)
	}
}

// shown is what is read back, except where that is long.
func shown(column, stored string) string {
	switch {
	case stored == refusedText:
	case strings.HasSuffix(column, "blob"), column == "BLOB":
		stored = cell(fmt.Sprintf("%X", stored))
	default:
		stored = cell(strings.Map(printable, stored))
	}
	return column + ": " + stored
}

func printable(r rune) rune {
	if r < ' ' || r == 0x7f {
		return '␣'
	}
	return r
}
