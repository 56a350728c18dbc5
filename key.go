package replhub

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"

	"github.com/replhub/replhub/internal/contract"
)

// maxKey is the longest key that the hub takes, in bytes.
const maxKey = contract.MaxKey

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
	return contract.KeyOfID(members["id"])
}

// carries reports whether a header can carry s unchanged.
func carries(s string) bool { return utf8.ValidString(s) && contract.FitsHeader(s) }
