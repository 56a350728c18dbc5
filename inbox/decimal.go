package inbox

import (
	"errors"
	"strconv"
	"strings"
)

// decimal is a number as JSON writes it, exactly: digits × 10^exp, with no zero at
// either end of digits. Zero has no digits.
type decimal struct {
	negative bool
	digits   string
	exp      int
}

// longestExponent is how many digits of an exponent are read. No database's number
// has an exponent of as many.
const longestExponent = 8

var errExponent = errors.New("its exponent is out of every range")

// parseDecimal reads a JSON number.
func parseDecimal(text string) (decimal, error) {
	rest, negative := strings.CutPrefix(text, "-")
	mantissa, exponent := rest, ""
	if i := strings.IndexAny(rest, "eE"); i >= 0 {
		mantissa, exponent = rest[:i], rest[i+1:]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	d := decimal{negative: negative, digits: strings.TrimLeft(whole+fraction, "0"), exp: -len(fraction)}
	trimmed := strings.TrimRight(d.digits, "0")
	d.exp += len(d.digits) - len(trimmed)
	d.digits = trimmed
	if d.digits == "" {
		return decimal{}, nil
	}
	if exponent == "" {
		return d, nil
	}
	sign, size := exponent[:1], strings.TrimLeft(exponent, "+-0")
	if len(size) > longestExponent {
		return decimal{}, errExponent
	}
	by := 0
	if size != "" {
		var err error
		if by, err = strconv.Atoi(size); err != nil {
			return decimal{}, err
		}
	}
	if sign == "-" {
		by = -by
	}
	d.exp += by
	return d, nil
}

func (d decimal) whole() bool { return d.digits == "" || d.exp >= 0 }

// integerDigits is how many digits stand before the point.
func (d decimal) integerDigits() int {
	if d.digits == "" {
		return 0
	}
	return max(0, len(d.digits)+d.exp)
}

// fractionDigits is how many digits stand after the point.
func (d decimal) fractionDigits() int { return max(0, -d.exp) }

// plain is the number without an exponent. Its length is that of the digits before
// and after the point, which the caller has bounded.
func (d decimal) plain() string {
	if d.digits == "" {
		return "0"
	}
	sign := ""
	if d.negative {
		sign = "-"
	}
	switch point := len(d.digits) + d.exp; {
	case d.exp >= 0:
		return sign + d.digits + strings.Repeat("0", d.exp)
	case point > 0:
		return sign + d.digits[:point] + "." + d.digits[point:]
	default:
		return sign + "0." + strings.Repeat("0", -point) + d.digits
	}
}

// sameFloat reports whether f, as it is printed shortest in bits, is d.
func (d decimal) sameFloat(f float64, bits int) bool {
	back, err := parseDecimal(strconv.FormatFloat(f, 'e', -1, bits))
	return err == nil && back == d
}

// plainDecimal reports whether text is a number in full: digits without a leading
// zero, and perhaps a point and more digits; no exponent, no plus.
func plainDecimal(text string) bool {
	rest := strings.TrimPrefix(text, "-")
	whole, fraction, point := strings.Cut(rest, ".")
	return onlyDigits(whole) && (whole == "0" || whole[0] != '0') && (!point || onlyDigits(fraction))
}

// canonicalInteger is plainDecimal for whole numbers, each of which has one text.
func canonicalInteger(text string) bool {
	return plainDecimal(text) && !strings.Contains(text, ".") && text != "-0"
}

// canonicalDecimal is plainDecimal with one text for each number.
func canonicalDecimal(text string) bool {
	if !plainDecimal(text) {
		return false
	}
	d, err := parseDecimal(text)
	return err == nil && d.plain() == text
}

func onlyDigits(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}
