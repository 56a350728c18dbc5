package outbox

import (
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/replhub/replhub/database"
)

// mostLiteral is the largest event, in bytes, whose statement has its values in its
// text, twice as long there.
const mostLiteral = 64 << 10

// bound is a statement and its arguments as they are given to the database. On
// MariaDB the values of an event that is not large are put into the text, as
// hexadecimal digits, which are bytes as the columns are: with arguments the driver
// has the server prepare the statement, which is another round trip.
func (o *Outbox) bound(statement string, args []any) (string, []any) {
	if o.cfg.Dialect != database.MariaDB {
		return statement, args
	}
	size := 0
	for _, arg := range args {
		switch v := arg.(type) {
		case string:
			size += len(v)
		case []byte:
			size += len(v)
		}
	}
	if size > mostLiteral {
		return statement, args
	}
	b := make([]byte, 0, len(statement)+2*size+8*len(args))
	rest := statement
	for _, arg := range args {
		var before string
		var ok bool
		before, rest, _ = strings.Cut(rest, "?") // no name has one
		if b, ok = appendLiteral(append(b, before...), arg); !ok {
			return statement, args
		}
	}
	return string(append(b, rest...)), nil
}

func appendLiteral(b []byte, arg any) ([]byte, bool) {
	switch v := arg.(type) {
	case int:
		return strconv.AppendInt(b, int64(v), 10), true
	case int64:
		return strconv.AppendInt(b, v, 10), true
	case string:
		return append(hex.AppendEncode(append(b, "X'"...), []byte(v)), '\''), true
	case []byte:
		return append(hex.AppendEncode(append(b, "X'"...), v), '\''), true
	default:
		return b, false
	}
}
