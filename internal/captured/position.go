package captured

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// LSN is a place in PostgreSQL's write-ahead log.
type LSN uint64

// String is PostgreSQL's own form: "16/B374D848".
func (l LSN) String() string { return fmt.Sprintf("%X/%X", uint32(l>>32), uint32(l)) }

// MarshalText implements encoding.TextMarshaler.
func (l LSN) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (l *LSN) UnmarshalText(text []byte) error {
	high, low, found := strings.Cut(string(text), "/")
	h, err := strconv.ParseUint(high, 16, 32)
	if err != nil || !found {
		return fmt.Errorf("LSN %q: must be two hexadecimal numbers with a slash between them", text)
	}
	lo, err := strconv.ParseUint(low, 16, 32)
	if err != nil {
		return fmt.Errorf("LSN %q: must be two hexadecimal numbers with a slash between them", text)
	}
	*l = LSN(h<<32 | lo)
	return nil
}

// Position is where a change stands in the order in which a slot sends changes. The
// zero Position is before every change.
type Position struct {
	// Commit is the LSN of the transaction's commit.
	Commit LSN `json:"commit"`
	// Change is the change's own LSN; within a transaction it never falls.
	Change LSN `json:"change"`
	// Number tells apart the events at one LSN, from 0: rows that one statement wrote
	// together, and the two events of a changed key.
	Number uint32 `json:"number"`
}

// Compare is negative where p comes before o, 0 where they are equal, and positive
// where p comes after o.
func (p Position) Compare(o Position) int {
	return cmp.Or(cmp.Compare(p.Commit, o.Commit), cmp.Compare(p.Change, o.Change), cmp.Compare(p.Number, o.Number))
}

// IsZero reports whether the position is before every change.
func (p Position) IsZero() bool { return p == Position{} }

// append adds the form of a position in a header: "<commit>.<change>.<number>",
// hexadecimal.
func (p Position) append(dst []byte) []byte {
	dst = strconv.AppendUint(dst, uint64(p.Commit), 16)
	dst = strconv.AppendUint(append(dst, '.'), uint64(p.Change), 16)
	return strconv.AppendUint(append(dst, '.'), uint64(p.Number), 16)
}

func parsePosition(text string) (Position, error) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return Position{}, fmt.Errorf("position %q: must be three hexadecimal numbers", text)
	}
	var numbers [3]uint64
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 16, 64>>(i/2))
		if err != nil {
			return Position{}, fmt.Errorf("position %q: %w", text, err)
		}
		numbers[i] = n
	}
	return Position{LSN(numbers[0]), LSN(numbers[1]), uint32(numbers[2])}, nil
}
