package rawjson

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"

	"github.com/replhub/replhub/internal/contract"
)

// Exact gives the value of a JSON string as a walk gives it, quotes and all;
// false when it holds what no UTF-8 text can: invalid bytes, or half a
// surrogate pair. encoding/json replaces those by U+FFFD, which makes different
// strings equal.
func Exact(raw []byte) (string, bool) { return contract.ExactText(raw) }

// Plain gives a JSON string's bytes between the quotes when they are its value
// as they stand: nothing escaped, nothing invalid. It needs no memory; where it
// says false, use Text.
func Plain(raw []byte) ([]byte, bool) {
	inner := raw[1 : len(raw)-1]
	if bytes.IndexByte(inner, '\\') >= 0 || !utf8.Valid(inner) {
		return nil, false
	}
	return inner, true
}

// Text gives the value of a JSON string as encoding/json has it.
func Text(raw []byte) string {
	var s string
	// What a walk gives is a valid JSON string: there is no error to have.
	_ = json.Unmarshal(raw, &s)
	return s
}
