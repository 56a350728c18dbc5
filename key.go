package replhub

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// maxKey is the longest key that the hub takes, in bytes.
const maxKey = 1024

// KeyOf is the key that the hub sees in an event: Key, else the payload's
// top-level "id", a string or a number as its JSON text; "" is none. Finding it
// in the payload means parsing that: setting Key is cheaper.
func KeyOf(ev Event) string {
	if ev.Key != "" {
		return ev.Key
	}
	// Only an escape could hide the name.
	if !bytes.Contains(ev.Data, []byte(`"id"`)) && !bytes.Contains(ev.Data, []byte(`\u00`)) {
		return ""
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(ev.Data, &members); err != nil {
		return ""
	}
	key := keyText(members["id"])
	if len(key) > maxKey || !carries(key) {
		return ""
	}
	return key
}

// keyText is a JSON string's value or a number's text, "" for all else.
func keyText(raw json.RawMessage) string {
	if len(raw) == 0 || !utf8.Valid(raw) {
		return ""
	}
	if c := raw[0]; c == '-' || '0' <= c && c <= '9' {
		return string(raw)
	}
	var text string
	if raw[0] != '"' || json.Unmarshal(raw, &text) != nil {
		return ""
	}
	// Half a surrogate pair decodes to U+FFFD, which would make different keys
	// equal. That its escape as such is no key either harms nobody.
	if bytes.IndexByte(raw, '\\') >= 0 && strings.ContainsRune(text, utf8.RuneError) {
		return ""
	}
	return text
}

// carries reports whether a header can carry s unchanged.
func carries(s string) bool {
	return s != "" && utf8.ValidString(s) && s == strings.TrimSpace(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}
