package inbox

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/replhub/replhub/database"
)

// numberOf reads a number, or a string that is one in full. Publishers whose
// language has no integers of 64 bits, or no decimals, write them as strings.
func numberOf(v jsonValue, column string) (decimal, error) {
	switch v.kind {
	case jsonNumber:
		return parseDecimal(v.text)
	case jsonString:
		if !plainDecimal(v.text) {
			return decimal{}, errors.New("a string is stored as a number only if it is one in full: digits, without a leading zero, a plus, blanks or an exponent")
		}
		return parseDecimal(v.text)
	default:
		return decimal{}, refusedKind(v, column)
	}
}

// integerRule is that of integer types: numbers of a whole value within the range,
// whatever their spelling (1.0, 1e3).
type integerRule struct {
	dialect database.Dialect
	min     int64
	max     uint64
	// bool says that a bool is stored as 1 or 0.
	bool bool
}

func (i integerRule) store(v jsonValue) (any, error) {
	if v.kind == jsonBool && i.bool {
		return i.bind(map[byte]string{'t': "1", 'f': "0"}[v.raw[0]])
	}
	d, err := numberOf(v, "an integer column")
	if err != nil {
		return nil, err
	}
	if v.kind == jsonString && !canonicalInteger(v.text) {
		return nil, errors.New("a string is stored as an integer only if it is one in full: digits, without a point, a leading zero, a plus, blanks or an exponent")
	}
	if !d.whole() {
		return nil, errors.New("it is no whole number")
	}
	if d.integerDigits() > 20 { // of the greatest uint64
		return nil, i.outOfRange()
	}
	return i.bind(d.plain())
}

func (i integerRule) key(text string) (any, error) {
	if !canonicalInteger(text) {
		return nil, errors.New("a key of an integer column is digits, without a leading zero, a plus, a point, blanks or an exponent: any other spelling is another key and would be the same row")
	}
	return i.store(jsonValue{kind: jsonNumber, text: text, raw: []byte(text)})
}

// bind is a whole number as its dialect needs it: MariaDB compares an integer with
// a text as floats, and takes a text for a bit string; PostgreSQL's drivers take
// text for all.
func (i integerRule) bind(text string) (any, error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		if n < i.min || n > 0 && uint64(n) > i.max {
			return nil, i.outOfRange()
		}
		if i.dialect == database.Postgres {
			return text, nil
		}
		return n, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n > i.max {
		return nil, i.outOfRange()
	}
	return n, nil
}

func (i integerRule) outOfRange() error {
	return fmt.Errorf("it is out of the column's range, %d to %d", i.min, i.max)
}

// decimalRule is that of numeric and decimal: numbers that have no more digits
// than the column. The database would round.
type decimalRule struct {
	// integers and fraction are how many digits may stand before and after the
	// point. A negative fraction demands zeros before the point.
	integers, fraction int
	unsigned           bool
	// zeros says that the column keeps zeros at the end of a fraction.
	zeros bool
}

func (n decimalRule) store(v jsonValue) (any, error) {
	d, err := numberOf(v, "a numeric column")
	if err != nil {
		return nil, err
	}
	switch {
	case d.negative && n.unsigned:
		return nil, errors.New("it is negative, and the column unsigned")
	case d.integerDigits() > n.integers:
		return nil, fmt.Errorf("it has %d digits before the point, and the column takes %d", d.integerDigits(), n.integers)
	case d.digits != "" && -d.exp > n.fraction:
		return nil, fmt.Errorf("it has %d digits after the point, and the column rounds to %d", d.fractionDigits(), n.fraction)
	case n.zeros && plainDecimal(v.text):
		return v.text, nil
	default:
		return d.plain(), nil
	}
}

func (n decimalRule) key(text string) (any, error) {
	if !canonicalDecimal(text) {
		return nil, errors.New("a key of a numeric column is a number in its shortest form, without an exponent and without redundant zeros: any other spelling is another key and would be the same row")
	}
	return n.store(jsonValue{kind: jsonNumber, text: text, raw: []byte(text)})
}

// floatRule is that of float types: numbers that come back as they were.
type floatRule struct {
	bits int
	// digits bounds the significant digits; 0 is no bound. MariaDB prints no more
	// than six of a float.
	digits int
	// fixed is set for MariaDB's float(m,d), which rounds as a decimal does.
	fixed    *decimalRule
	unsigned bool
}

func (f floatRule) store(v jsonValue) (any, error) {
	if v.kind != jsonNumber {
		return nil, refusedKind(v, "a float column")
	}
	d, err := parseDecimal(v.text)
	if err != nil {
		return nil, err
	}
	if f.unsigned && d.negative {
		return nil, errors.New("it is negative, and the column unsigned")
	}
	if f.fixed != nil {
		if _, err := f.fixed.store(v); err != nil {
			return nil, err
		}
	}
	float, err := strconv.ParseFloat(v.text, f.bits)
	if err != nil || !d.sameFloat(float, f.bits) || f.digits > 0 && len(d.digits) > f.digits {
		return nil, errors.New("the column's float would round it; make the column numeric")
	}
	return strconv.FormatFloat(float, 'g', -1, f.bits), nil
}

// bitsRule is that of PostgreSQL's bit(n) and bit varying(n).
type bitsRule struct {
	length  int // 0 is no bound
	varying bool
}

func (b bitsRule) store(v jsonValue) (any, error) {
	if v.kind != jsonString {
		return nil, refusedKind(v, "a bit string")
	}
	for _, c := range v.text {
		if c != '0' && c != '1' {
			return nil, errors.New("a bit string is of 0 and 1")
		}
	}
	if n := len(v.text); b.length > 0 && (n > b.length || n < b.length && !b.varying) {
		return nil, fmt.Errorf("it has %d bits, and the column %d", n, b.length)
	}
	return v.text, nil
}
