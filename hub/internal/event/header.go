package event

import (
	"maps"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/replhub/replhub/internal/contract"
)

// Header is the headers of an event's copies, which the copies in all lanes
// share: each is encoded from the same map.
type Header struct {
	// Size is how many bytes its lines have on the wire.
	Size int

	mu     sync.Mutex
	values map[string][]string
}

// NewHeader makes a header of a map, which is the header's from then on.
func NewHeader(values map[string][]string) *Header {
	h := &Header{values: values}
	for name, vs := range values {
		for _, v := range vs {
			h.Size += len(name) + len(v) + len(": \r\n")
		}
	}
	return h
}

// With calls f with the headers and one more. f must not keep the map.
func (h *Header) With(name string, values []string, f func(map[string][]string) error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.values[name] = values
	defer delete(h.values, name)
	return f(h.values)
}

// Clone returns the headers in a map of the caller's own, with room for one
// more. The slices of values are shared and read-only.
func (h *Header) Clone() map[string][]string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.values)
}

// CopyHeader returns the headers of a copy: the publisher's that pass, and the
// hub's.
func (e *Event) CopyHeader() *Header {
	e.copyOnce.Do(func() { e.copyHeader = NewHeader(e.buildCopyHeader()) })
	return e.copyHeader
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

// BareHeader returns the headers of a copy without the publisher's.
func (e *Event) BareHeader() *Header { return NewHeader(e.headerWith(nil)) }

func (e *Event) buildCopyHeader() map[string][]string { return e.headerWith(e.Header) }

// headerWith adds the hub's headers to some of the publisher's.
func (e *Event) headerWith(publishers map[string][]string) map[string][]string {
	own := [...]struct{ name, value string }{
		{contract.HeaderPosition, e.Pos.String()},
		{contract.HeaderID, e.ID},
		{contract.HeaderKey, e.Key},
		{contract.HeaderTime, e.Time.UTC().Format(time.RFC3339Nano)},
		{contract.HeaderOrigin, e.Origin},
		{contract.HeaderVersion, e.Version},
		{contract.HeaderRow, rowNumber(e.Row)},
	}
	set := 0
	for _, o := range own {
		if o.value != "" {
			set++
		}
	}
	// One more than is set is the room for an appender's entry, and no more than
	// that: maps of up to eight entries are the cheap ones.
	h := make(map[string][]string, len(publishers)+set+1)
	maps.Copy(h, publishers)
	// One backing array for all values; each slice is capped so that an append
	// to one cannot reach its neighbour.
	values := make([]string, 0, set)
	for _, o := range own {
		if o.value != "" {
			values = append(values, o.value)
			n := len(values)
			h[o.name] = values[n-1 : n : n]
		}
	}
	return h
}

func rowNumber(row uint64) string {
	if row == 0 {
		return ""
	}
	return strconv.FormatUint(row, 10)
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
