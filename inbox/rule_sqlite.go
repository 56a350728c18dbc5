package inbox

import (
	"errors"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/replhub/replhub/database"
)

// affinity is what a SQLite column would rather hold.
type affinity int

const (
	affinityNone affinity = iota // a column without a type, or ANY in a STRICT table
	affinityText
	affinityInteger
	affinityNumeric
	affinityReal
	affinityBlob
)

// affinityOf is the affinity of a declared type, by SQLite's rules in their order.
func affinityOf(declared string, strict bool) affinity {
	declared = strings.ToUpper(declared)
	has := func(parts ...string) bool {
		for _, part := range parts {
			if strings.Contains(declared, part) {
				return true
			}
		}
		return false
	}
	switch {
	case declared == "" || strict && declared == "ANY":
		return affinityNone
	case has("INT"):
		return affinityInteger
	case has("CHAR", "CLOB", "TEXT"):
		return affinityText
	case has("BLOB"):
		return affinityBlob
	case has("REAL", "FLOA", "DOUB"): //nolint:misspell // a part of DOUBLE
		return affinityReal
	default:
		return affinityNumeric
	}
}

// sqliteRule is that of SQLite's columns. They hold values of any type, but change
// what looks like a number into one: what would be changed is refused.
type sqliteRule struct {
	affinity affinity
	// strict says that the table is STRICT: the column holds its type alone.
	strict bool
	// json says that the column is declared JSON: a string is a JSON string.
	json bool
}

func (s sqliteRule) store(v jsonValue) (any, error) {
	if s.affinity == affinityBlob {
		return binaryRule{}.store(v)
	}
	if s.affinity == affinityText {
		return textRule{}.store(v)
	}
	switch v.kind {
	case jsonNumber:
		return s.number(v)
	case jsonString:
		return s.string(v)
	case jsonBool:
		if s.affinity == affinityReal {
			return nil, refusedKind(v, "a REAL column")
		}
		if v.raw[0] == 't' {
			return int64(1), nil
		}
		return int64(0), nil
	default:
		if s.affinity == affinityReal || s.affinity == affinityInteger {
			return nil, refusedKind(v, "a column of numbers")
		}
		return textRule{}.store(v)
	}
}

// number is an integer where it is whole and has 64 bits, else a float where that
// comes back as it was.
func (s sqliteRule) number(v jsonValue) (any, error) {
	d, err := numberOf(v, "a column of numbers")
	if err != nil {
		return nil, err
	}
	if d.whole() && d.integerDigits() <= 19 && s.affinity != affinityReal {
		if n, err := strconv.ParseInt(d.plain(), 10, 64); err == nil {
			return n, nil
		}
	}
	if s.strict && s.affinity == affinityInteger {
		return nil, errors.New("it is no whole number of 64 bits")
	}
	float, err := strconv.ParseFloat(v.text, 64)
	if err != nil || !d.sameFloat(float, 64) {
		return nil, errors.New("SQLite would round it to a float; make the column TEXT")
	}
	return float, nil
}

// looksNumeric tells the texts that SQLite turns into numbers in columns of
// numbers.
var looksNumeric = regexp.MustCompile(`^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$`)

func (s sqliteRule) string(v jsonValue) (any, error) {
	switch {
	case !v.exact:
		return nil, errInexactText
	case s.json:
		return string(v.raw), nil
	case s.affinity == affinityNone:
		return textRule{}.store(v)
	case s.affinity == affinityInteger && canonicalInteger(v.text),
		s.affinity == affinityNumeric && plainDecimal(v.text):
		return s.number(v)
	case looksNumeric.MatchString(strings.Trim(v.text, " \t\n\v\f\r")):
		return nil, errors.New("SQLite would treat it as a number; make the column TEXT")
	case s.strict:
		return nil, refusedKind(v, "a column of numbers of a STRICT table")
	default:
		return textRule{}.store(v)
	}
}

func (s sqliteRule) key(text string) (any, error) {
	if s.affinity == affinityInteger || s.affinity == affinityNumeric && looksNumeric.MatchString(strings.TrimSpace(text)) {
		return integerRule{dialect: database.SQLite, min: math.MinInt64, max: math.MaxInt64}.key(text)
	}
	return s.store(stringValue(text))
}
