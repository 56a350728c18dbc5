package contract

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// ExactText gives the value of a valid JSON string, quotes and all; false when it
// holds what no UTF-8 text can: invalid bytes, or half a surrogate pair.
// encoding/json replaces those by U+FFFD, which makes different strings equal.
func ExactText(raw []byte) (string, bool) {
	if !utf8.Valid(raw) {
		return "", false
	}
	inner := raw[1 : len(raw)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return string(inner), true
	}
	if HasLoneSurrogate(raw) {
		return "", false
	}
	var s string
	err := json.Unmarshal(raw, &s)
	return s, err == nil
}

// HasLoneSurrogate reports whether a valid JSON text escapes half a surrogate
// pair, in a string anywhere in it.
func HasLoneSurrogate(raw []byte) bool {
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		i++
		if raw[i] != 'u' {
			continue
		}
		r := hex4(raw[i+1:])
		i += 4
		if r < 0xd800 || r > 0xdfff {
			continue
		}
		rest := raw[i+1:]
		if r >= 0xdc00 || len(rest) < 6 || rest[0] != '\\' || rest[1] != 'u' {
			return true
		}
		if low := hex4(rest[2:]); low < 0xdc00 || low > 0xdfff {
			return true
		}
		i += 6
	}
	return false
}

// hex4 reads the four hexadecimal digits that a valid \u escape has.
func hex4(b []byte) rune {
	var r rune
	for _, c := range b[:4] {
		switch {
		case c >= 'a':
			c -= 'a' - 10
		case c >= 'A':
			c -= 'A' - 10
		default:
			c -= '0'
		}
		r = r<<4 | rune(c)
	}
	return r
}
