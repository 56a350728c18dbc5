package judge

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Position orders events: by epoch, then by ingest sequence.
type Position struct{ Epoch, Seq uint64 }

// Compare is negative, zero or positive as p lies before, at or behind o.
func (p Position) Compare(o Position) int {
	return cmp.Or(cmp.Compare(p.Epoch, o.Epoch), cmp.Compare(p.Seq, o.Seq))
}

// String is "<epoch>-<seq>".
func (p Position) String() string { return fmt.Sprintf("%d-%d", p.Epoch, p.Seq) }

// Event is one event as ingest stored it.
type Event struct {
	Position
	Time    time.Time
	Subject string
	Header  map[string][]string
	Data    []byte
}

// Entity is the subject's.
func (e Event) Entity() string { return token(e.Subject, 1) }

// Op is the subject's.
func (e Event) Op() string { return token(e.Subject, 2) }

// ID is what the publisher called it; empty when it did not.
func (e Event) ID() string { return firstOf(e.Header, "Nats-Msg-Id") }

// Object is the payload as a JSON object, its numbers json.Number; nil when it
// is none.
func (e Event) Object() map[string]any {
	o, _ := decode(e.Data).(map[string]any)
	return o
}

// isObject reports whether the payload is a JSON object.
func (e Event) isObject() bool { return json.Valid(e.Data) && e.Object() != nil }

// decode is JSON with its numbers as they are written; nil when it is none.
func decode(data []byte) any {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil
	}
	return v
}

// key is what the contract says: the header, else the payload's id.
func (e Event) key() string {
	if k := firstOf(e.Header, "Replhub-Key"); carried(k) {
		return k
	}
	var o struct {
		ID json.RawMessage `json:"id"`
	}
	if err := json.Unmarshal(e.Data, &o); err != nil || len(o.ID) == 0 {
		return ""
	}
	var text string
	if c := o.ID[0]; c == '-' || ('0' <= c && c <= '9') {
		text = string(o.ID)
	} else if json.Unmarshal(o.ID, &text) != nil || c != '"' {
		return ""
	}
	if !carried(text) {
		return ""
	}
	return text
}

// carried reports whether a header can carry a key unchanged.
func carried(key string) bool {
	const most = 1024
	control := func(r rune) bool { return r < ' ' || r == 0x7f }
	return key != "" && len(key) <= most && utf8.ValidString(key) &&
		key == strings.TrimSpace(key) && !strings.ContainsFunc(key, control)
}

// Message is one message of a lane: a copy, or anything else that lies there.
type Message struct {
	// LaneSeq is its place in the lane.
	LaneSeq uint64
	Subject string
	Header  map[string][]string
	Data    []byte
}

// position is what the copy says of its event; ok is false when it says nothing.
func (m Message) position() (p Position, ok bool) {
	_, err := fmt.Sscanf(firstOf(m.Header, "Replhub-Position"), "%d-%d", &p.Epoch, &p.Seq)
	return p, err == nil
}

// isState reports whether it is a state record, which is nobody's copy.
func (m Message) isState() bool { return strings.HasSuffix(m.Subject, "._state") }

func (m Message) entity() string { return token(m.Subject, 2) }

func token(subject string, n int) string {
	parts := strings.Split(subject, ".")
	if n >= len(parts) {
		return ""
	}
	return parts[n]
}

func firstOf(h map[string][]string, name string) string {
	if v := h[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}
