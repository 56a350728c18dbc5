package digest

import (
	"strconv"
	"strings"
)

// longestExponent is how many digits an exponent may have.
const longestExponent = 8

// canonical is a number by its value: a sign, its digits without zeros at either end, and
// a power of ten. False if the text is no number.
func canonical(text string) (string, bool) {
	mantissa, exponent := strings.TrimPrefix(text, "-"), ""
	negative := len(mantissa) < len(text)
	if i := strings.IndexAny(mantissa, "eE"); i >= 0 {
		mantissa, exponent = mantissa[:i], mantissa[i+1:]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	all := whole + fraction
	if all == "" || strings.Trim(all, "0123456789") != "" {
		return "", false
	}
	digits := strings.TrimLeft(all, "0")
	if digits == "" {
		return "0", true
	}
	kept := strings.TrimRight(digits, "0")
	power := len(digits) - len(kept) - len(fraction)
	if exponent != "" {
		if len(strings.TrimLeft(exponent, "+-0")) > longestExponent {
			return "", false
		}
		by, err := strconv.Atoi(exponent)
		if err != nil {
			return "", false
		}
		power += by
	}
	sign := ""
	if negative {
		sign = "-"
	}
	if power == 0 {
		return sign + kept, true
	}
	return sign + kept + "e" + strconv.Itoa(power), true
}

// inFull reports whether a text is a number in full: digits without a leading zero, a
// plus, blanks or an exponent.
func inFull(text string) bool {
	whole, fraction, point := strings.Cut(strings.TrimPrefix(text, "-"), ".")
	digits := func(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
	return digits(whole) && (whole == "0" || whole[0] != '0') && (!point || digits(fraction))
}

// plain writes a canonical number without an exponent.
func plain(number string) string {
	kept, exponent, scaled := strings.Cut(number, "e")
	if !scaled {
		return number
	}
	power, err := strconv.Atoi(exponent)
	if err != nil || power > 1<<12 || power < -1<<12 {
		return number
	}
	digits, sign := strings.CutPrefix(kept, "-")
	minus := ""
	if sign {
		minus = "-"
	}
	switch point := len(digits) + power; {
	case power >= 0:
		return minus + digits + strings.Repeat("0", power)
	case point > 0:
		return minus + digits[:point] + "." + digits[point:]
	default:
		return minus + "0." + strings.Repeat("0", -point) + digits
	}
}
