package contract

import (
	"strings"
	"unicode/utf8"
)

// MaxKey is the longest key, in bytes.
const MaxKey = 1024

// ValidKey is the one rule for what a key is, for publisher, hub, inbox and
// table: 1 to [MaxKey] bytes of UTF-8 without control characters, and without
// white space at either end. Two keys are the same if their bytes are. What is no
// key counts as none.
func ValidKey(key string) bool {
	return len(key) <= MaxKey && utf8.ValidString(key) && FitsHeader(key)
}

// FitsHeader reports whether a header can carry s unchanged.
func FitsHeader(s string) bool {
	return s != "" && s == strings.TrimSpace(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// KeyOfID is the key that a payload's top-level member "id" gives, as JSON: a
// string's value, or a number's text as it is written, so that 42, 42.0 and 4.2e1
// are three keys. All else is no key, which is "".
func KeyOfID(raw []byte) string {
	if len(raw) == 0 || len(raw) > longestID {
		return ""
	}
	key := string(raw)
	switch c := raw[0]; {
	case c == '"':
		// A string that is no exact text gives "", which is no key either.
		key, _ = ExactText(raw)
	case c != '-' && (c < '0' || c > '9'):
		return ""
	}
	if !ValidKey(key) {
		return ""
	}
	return key
}

// longestID is how long a key's JSON text can be: two quotes, and six bytes for
// each of the key's if all are escaped.
const longestID = 6*MaxKey + 2
