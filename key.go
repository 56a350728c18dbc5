package replhub

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"

	"github.com/replhub/replhub/internal/contract"
)

// maxKey is the longest key that the hub accepts, in bytes.
const maxKey = contract.MaxKey

// KeyOf returns the key that the hub sees in an event: Key or, if that is empty, the
// payload's top-level "id". An id is a string, or a number as its JSON text. "" means
// none. Setting Key is cheaper, because KeyOf must otherwise parse the payload.
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
