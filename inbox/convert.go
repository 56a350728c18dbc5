package inbox

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// UnixSeconds is a Convert for columns of date and time: a number of seconds since
// 1970, with or without a fraction, is that time in UTC. A null stays null.
func UnixSeconds(value any) (any, error) { return unixTime(value, 9) }

// UnixMillis is UnixSeconds for milliseconds.
func UnixMillis(value any) (any, error) { return unixTime(value, 6) }

// unixTime takes units of which a nanosecond is 10^-digits.
func unixTime(value any, digits int) (any, error) {
	if value == nil {
		return nil, nil
	}
	n, ok := value.(json.Number)
	if !ok {
		return nil, fmt.Errorf("%T is no number of a Unix time", value)
	}
	d, err := parseDecimal(n.String())
	if err != nil {
		return nil, err
	}
	d.exp += digits
	if !d.whole() || d.integerDigits() > 19 {
		return nil, errors.New("it is no time from 1678 to 2262 in whole nanoseconds")
	}
	nano, err := strconv.ParseInt(d.plain(), 10, 64)
	if err != nil {
		return nil, errors.New("it is no time from 1678 to 2262 in whole nanoseconds")
	}
	return quoted(time.Unix(0, nano).UTC().Format(time.RFC3339Nano)), nil
}

// Truncate makes a Convert for columns of date and time, or of a time of day, that
// cuts off what is finer than unit, such as time.Microsecond for PostgreSQL and
// time.Second for MariaDB's datetime. A null stays null.
func Truncate(unit time.Duration) func(value any) (any, error) {
	kept := 0
	for step := time.Second; step > unit && step > 1; step /= 10 {
		kept++
	}
	return ofString(func(text string) (string, error) {
		whole, rest, ok := strings.Cut(text, ".")
		if !ok {
			return text, nil
		}
		fraction, offset := cutOffset(rest)
		if fraction = fraction[:min(kept, len(fraction))]; fraction != "" {
			whole += "."
		}
		return whole + fraction + offset, nil
	})
}

// AssumeUTC is a Convert for columns of points in time (timestamptz, MariaDB's
// timestamp): a date and time without an offset counts as UTC. A null stays null.
func AssumeUTC(value any) (any, error) {
	return ofString(func(text string) (string, error) {
		at, err := parseMoment(text)
		if err != nil || at.zoned {
			return text, err
		}
		return text + "Z", nil
	})(value)
}

// LowerUUID is a Convert for columns of UUIDs: it takes them in upper case, in braces
// and without dashes as well. A null stays null.
func LowerUUID(value any) (any, error) {
	return ofString(func(text string) (string, error) {
		digits := strings.ToLower(text)
		if inner, ok := strings.CutPrefix(digits, "{"); ok {
			digits, ok = strings.CutSuffix(inner, "}")
			if !ok {
				return "", errors.New("it is no UUID: a brace is not closed")
			}
		}
		if len(digits) == 32 {
			digits = digits[:8] + "-" + digits[8:12] + "-" + digits[12:16] + "-" + digits[16:20] + "-" + digits[20:]
		}
		if !canonicalUUID(digits) {
			return "", errors.New("it is no UUID")
		}
		return digits, nil
	})(value)
}

// Hex is a Convert for binary columns: a string has the bytes as hexadecimal digits.
// A null stays null.
func Hex(value any) (any, error) {
	return ofString(func(text string) (string, error) {
		raw, err := hex.DecodeString(text)
		return base64.StdEncoding.EncodeToString(raw), err
	})(value)
}

// ParseJSON is a Convert for columns of JSON: a string is JSON text, which is stored
// as the value that it encodes instead of as a JSON string. A null stays null.
func ParseJSON(value any) (any, error) {
	if value == nil {
		return nil, nil
	}
	text, ok := value.(string)
	if !ok {
		return nil, fmt.Errorf("%T is no string of JSON", value)
	}
	if !json.Valid([]byte(text)) {
		return nil, errors.New("it is no JSON")
	}
	return json.RawMessage(text), nil
}

// ofString makes a Convert from a function of strings.
func ofString(convert func(text string) (string, error)) func(value any) (any, error) {
	return func(value any) (any, error) {
		if value == nil {
			return nil, nil
		}
		text, ok := value.(string)
		if !ok {
			return nil, fmt.Errorf("%T is no string", value)
		}
		converted, err := convert(text)
		if err != nil {
			return nil, err
		}
		return quoted(converted), nil
	}
}

// quoted is text, which is valid UTF-8, as a JSON string.
func quoted(text string) json.RawMessage {
	raw, err := json.Marshal(text)
	if err != nil {
		panic(err) // a string is always JSON
	}
	return raw
}
