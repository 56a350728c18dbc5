package row_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// likeness compares the text of a value in PostgreSQL with that of a replica's value.
type likeness func(source, stored string) bool

func likeText(source, stored string) bool { return source == stored || wholeOffset(source) == stored }

// wholeOffset is the one difference between PostgreSQL's text of a time with time zone
// and that of its event.
func wholeOffset(source string) string { return source + ":00" }

func likePadded(source, stored string) bool { return strings.TrimRight(source, " ") == stored }

func likeBool(source, stored string) bool {
	return map[string]string{"t": "1", "f": "0"}[source] == stored
}

func likeNumber(source, stored string) bool {
	a, ok := new(big.Rat).SetString(source)
	b, too := new(big.Rat).SetString(stored)
	if !ok || !too {
		return source == stored
	}
	return a.Cmp(b) == 0
}

func likeFloat(source, stored string) bool { return sameFloat(source, stored, 64) }

func likeFloat32(source, stored string) bool { return sameFloat(source, stored, 32) }

func sameFloat(source, stored string, bits int) bool {
	a, err := strconv.ParseFloat(source, bits)
	b, err2 := strconv.ParseFloat(stored, bits)
	return err == nil && err2 == nil && (a == b || source == stored)
}

func likeBytes(source, stored string) bool {
	return strings.EqualFold(strings.TrimPrefix(source, `\x`), hex.EncodeToString([]byte(stored)))
}

func likeClock(source, stored string) bool {
	return source == stored || strings.TrimRight(source, "0.") == strings.TrimRight(stored, "0.")
}

// likeMoment compares points in time; those that Go cannot parse, as texts.
func likeMoment(source, stored string) bool {
	a, err := parseMoment(source)
	b, err2 := parseMoment(stored)
	if err != nil || err2 != nil {
		return source == stored
	}
	return a.Equal(b)
}

func parseMoment(text string) (time.Time, error) {
	for _, layout := range []string{"2006-01-02 15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07", time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time", text)
}

// likeJSON is that of columns of text that get JSON: of a string its characters, else
// the JSON as it is written. Whether the JSON is right, a column of the same type says.
func likeJSON(member, stored string) bool {
	var text string
	if json.Unmarshal([]byte(member), &text) == nil {
		return text == stored
	}
	return member == stored
}
