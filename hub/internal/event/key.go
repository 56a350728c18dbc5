package event

import (
	"bytes"

	"github.com/replhub/replhub/hub/internal/event/rawjson"
	"github.com/replhub/replhub/internal/contract"
)

// MaxKey is the longest key, in bytes; a longer key counts as absent.
const MaxKey = contract.MaxKey

// key is the event's key: the header's, else the payload's top-level "id", a
// string or a number as its JSON text. What is no key by [contract.ValidKey] is passed
// over. No key is "".
func key(header map[string][]string, data []byte) string {
	if k := first(header, contract.HeaderKey); fitsKey(k) {
		return k
	}
	return contract.KeyOfID(topID(data))
}

// KeyOf is the key of a stored message: of an event, a copy or a dead letter.
func KeyOf(header map[string][]string, data []byte) string { return key(header, data) }

// topID gives the raw JSON of the payload's top-level member "id" when that is
// a string or a number; nil when it is anything else, is absent, or when the
// payload is not a JSON object. Of several the last counts.
func topID(data []byte) []byte {
	var id []byte
	m := rawjson.Walk(data)
	for m.Next() {
		if !namesID(m.Name()) {
			continue
		}
		id = nil
		value := m.Value()
		if c := value[0]; c == '"' || c == '-' || '0' <= c && c <= '9' {
			id = value
		}
	}
	if m.Kind() != rawjson.Object {
		return nil
	}
	return id
}

// namesID reports whether a member's raw name is "id", escaped or not.
func namesID(raw []byte) bool {
	const plain, longest = len(`"id"`), len(`"\u0069\u0064"`)
	if len(raw) == plain {
		return raw[1] == 'i' && raw[2] == 'd'
	}
	return len(raw) > plain && len(raw) <= longest && bytes.IndexByte(raw, '\\') >= 0 && rawjson.Text(raw) == "id"
}

// fitsKey reports whether k can be a key.
func fitsKey(k string) bool { return contract.ValidKey(k) }
