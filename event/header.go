package event

import (
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/replhub/replhub/wire"
)

// CopyHeader returns the headers of a copy, in a map of the caller's own with
// room for one more entry: the publisher's that pass, and the hub's. The value
// slices are shared by all copies and read-only.
func (e *Event) CopyHeader() map[string][]string {
	e.copyOnce.Do(func() { e.copyHeader = e.buildCopyHeader() })
	return maps.Clone(e.copyHeader)
}

// Headers gives the first value of each header in Header, a string.
func (e *Event) Headers() *Object {
	e.headersOnce.Do(func() {
		members := make(map[string]any, len(e.Header))
		for name, values := range e.Header {
			members[name] = values[0]
		}
		e.headers = &Object{members: members}
	})
	return e.headers
}

// hubHeaders is how many headers the hub itself sets at most.
const hubHeaders = 8

func (e *Event) buildCopyHeader() map[string][]string {
	// One more than is set: a clone keeps the room for the caller's entry.
	h := make(map[string][]string, len(e.Header)+hubHeaders+1)
	maps.Copy(h, e.Header)
	// One backing array for all values; each slice is capped so that an append
	// to one cannot reach its neighbour.
	values := make([]string, 0, hubHeaders)
	set := func(name, value string) {
		if value == "" {
			return
		}
		values = append(values, value)
		n := len(values)
		h[name] = values[n-1 : n : n]
	}
	set(wire.HeaderID, e.ID)
	set(wire.HeaderSeq, strconv.FormatUint(e.Pos.Seq, 10))
	set(wire.HeaderEpoch, strconv.FormatUint(e.Pos.Epoch, 10))
	set(wire.HeaderKey, e.Key)
	set(wire.HeaderTime, e.Time.UTC().Format(time.RFC3339Nano))
	set(wire.HeaderOrigin, e.Origin)
	set(wire.HeaderVersion, e.Version)
	if e.Row > 0 {
		set(wire.HeaderChunk, strconv.FormatUint(e.Row, 10))
	}
	return h
}

// passed gives the publisher's headers that go on to copies: none that is a
// command to a server or client, and none that could be read as more than one
// header.
func passed(header map[string][]string) map[string][]string {
	var out map[string][]string
	for name, values := range header {
		if len(values) == 0 || reserved(name) || !plainName(name) || !plainValues(values) {
			continue
		}
		if out == nil {
			out = make(map[string][]string, len(header))
		}
		out[name] = values
	}
	return out
}

// reserved reports whether a header is a command to servers and clients, in any
// letter case. Letters are folded as ASCII, as servers and clients fold them.
func reserved(name string) bool {
	return hasPrefixFold(name, "nats-") || hasPrefixFold(name, "replhub-") ||
		equalFold(name, "status") || equalFold(name, "description")
}

func hasPrefixFold(s, lower string) bool {
	return len(s) >= len(lower) && equalFold(s[:len(lower)], lower)
}

func equalFold(s, lower string) bool {
	if len(s) != len(lower) {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// plainName reports whether a header's name reads back as itself.
func plainName(name string) bool {
	return name != "" && name == strings.TrimSpace(name) && !strings.ContainsRune(name, ':') && !hasControl(name)
}

// plainValues reports whether no value can end its line.
func plainValues(values []string) bool {
	for _, v := range values {
		if strings.ContainsAny(v, "\r\n\x00") {
			return false
		}
	}
	return true
}

func hasControl(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return true
		}
	}
	return false
}

// carries reports whether a header can carry s unchanged.
func carries(s string) bool {
	return s != "" && !hasControl(s) && s == strings.TrimSpace(s)
}
