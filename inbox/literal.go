package inbox

import (
	"encoding/hex"
	"strconv"
	"unicode/utf8"
)

// MariaDB's statements of batches have their values in their text. With arguments
// the driver has the server prepare each statement, which takes another round trip,
// and more of the server's time than the writing itself.

// literalChunk is how many rows such a statement has: at the greatest keys it stays
// below 2 MB, and a server takes 16 MB by default (max_allowed_packet).
const literalChunk = 500

// appendLiteral appends a value as MariaDB reads it whatever its sql_mode: text and
// bytes as hexadecimal digits. It reports false for what is not certain to be read
// as the same value that an argument is.
func appendLiteral(b []byte, value any) ([]byte, bool) {
	switch v := value.(type) {
	case nil:
		return append(b, "NULL"...), true
	case int64:
		return strconv.AppendInt(b, v, 10), true
	case uint64:
		return strconv.AppendUint(b, v, 10), true
	case bool:
		return strconv.AppendBool(b, v), true
	case string:
		b = append(b, "_utf8mb4 "...)
		return appendHex(b, []byte(v)), utf8.ValidString(v)
	default:
		return b, false
	}
}

// appendHex appends bytes as a literal.
func appendHex(b, bytes []byte) []byte {
	return append(hex.AppendEncode(append(b, "X'"...), bytes), '\'')
}

// literalRows are rows as they stand behind VALUES. It reports false where a value
// has no literal, or the text would be large.
func literalRows(rows [][]any) (string, bool) {
	const most = 1 << 20
	b := make([]byte, 0, 64*len(rows))
	for i, row := range rows {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(b, '(')
		for n, value := range row {
			if n > 0 {
				b = append(b, ", "...)
			}
			var ok bool
			if b, ok = appendLiteral(b, value); !ok || len(b) > most {
				return "", false
			}
		}
		b = append(b, ')')
	}
	return string(b), true
}

// literalRecords are rows of the inbox as they stand behind VALUES.
func literalRecords(part []*slot, now int64) string {
	b := make([]byte, 0, 128*len(part))
	for n, s := range part {
		if n > 0 {
			b = append(b, ", "...)
		}
		b, _ = appendLiteral(append(b, '('), s.entity)
		b = appendHex(append(b, ", "...), []byte(s.key))
		for _, value := range s.stamp.columns() {
			b, _ = appendLiteral(append(b, ", "...), value)
		}
		b = strconv.AppendInt(append(b, ", "...), now, 10)
		b = append(b, ')')
	}
	return string(b)
}

// literalKeys are keys as they stand in an array of JSON.
func literalKeys(keys []any) string {
	var b []byte
	for n, key := range keys {
		if n > 0 {
			b = append(b, ',')
		}
		b = hex.AppendEncode(append(b, '"'), key.([]byte)) //nolint:forcetypeassert // keys of the inbox are bytes
		b = append(b, '"')
	}
	return string(b)
}
