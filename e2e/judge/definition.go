package judge

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// Definition is what a service wants of an entity, in Go.
type Definition struct {
	// Ops wanted; empty is create, update and delete.
	Ops []string
	// Pass says what the filter says of an event's payload; nil lets all pass.
	// Deletes are not asked about.
	Pass func(e Event) bool
	// Fails says that the filter cannot tell of an event, which is then
	// dead-lettered; nil never. It is asked before Pass.
	Fails func(e Event) bool
	// NeedsJSON has events that are no JSON object dead-lettered even without Fields.
	NeedsJSON bool
	// Fields are dotted paths to keep; empty keeps the payload as it is.
	Fields []string
	// Echo lets the service's own events pass.
	Echo bool
}

// outcome is what a service is due of one event.
type outcome struct {
	copied, dead bool
	// data is the copy's payload; whole says that it is the event's, byte for
	// byte, and otherwise it is equal as JSON.
	data  []byte
	whole bool
}

// expand says what a service is due of an event.
func (d Definition) expand(service string, e Event) outcome {
	ops := d.Ops
	if len(ops) == 0 {
		ops = []string{"create", "update", "delete"}
	}
	switch {
	case !slices.Contains(ops, e.Op()):
		return outcome{}
	case !d.Echo && firstOf(e.Header, "Replhub-Origin") == service:
		return outcome{}
	}
	isDelete := e.Op() == "delete"
	if (d.Pass != nil || d.NeedsJSON) && !isDelete {
		if !e.isObject() {
			return outcome{dead: true}
		}
		if d.Fails != nil && d.Fails(e) {
			return outcome{dead: true}
		}
		if d.Pass != nil && !d.Pass(e) {
			return outcome{}
		}
	}
	if len(d.Fields) == 0 {
		return outcome{copied: true, data: e.Data, whole: true}
	}
	if isDelete && len(e.Data) == 0 {
		return outcome{copied: true, whole: true}
	}
	if !e.isObject() {
		return outcome{dead: true}
	}
	data, err := json.Marshal(keep(e.Object(), d.Fields))
	if err != nil {
		return outcome{dead: true}
	}
	return outcome{copied: true, data: data}
}

// keep returns the members of o that the paths name, nested as they were.
func keep(o map[string]any, paths []string) map[string]any {
	whole, below := map[string]bool{}, map[string][]string{}
	for _, path := range paths {
		name, rest, nested := strings.Cut(path, ".")
		if !nested {
			whole[name] = true
			continue
		}
		below[name] = append(below[name], rest)
	}
	kept := map[string]any{}
	for name, value := range o {
		if whole[name] {
			kept[name] = value
		} else if inner, some := within(value, below[name]); some {
			kept[name] = inner
		}
	}
	return kept
}

// within keeps what paths name of a value: members of an object, and of the
// elements of an array. some is false where nothing is left.
func within(value any, paths []string) (kept any, some bool) {
	switch v := value.(type) {
	case map[string]any:
		members := keep(v, paths)
		return members, len(members) > 0
	case []any:
		var elements []any
		for _, element := range v {
			if inner, some := within(element, paths); some {
				elements = append(elements, inner)
			}
		}
		return elements, len(elements) > 0
	}
	return nil, false
}

// header is what a copy of an event carries beside the server's own headers.
func header(e Event) map[string][]string {
	h := map[string][]string{}
	for name, values := range e.Header {
		lower := strings.ToLower(name)
		if strings.HasPrefix(lower, "nats-") || strings.HasPrefix(lower, "replhub-") || lower == "status" || lower == "description" {
			continue
		}
		h[name] = values
	}
	if id := e.ID(); id != "" {
		h["Replhub-Id"] = []string{id}
	}
	maps.Copy(h, map[string][]string{
		"Replhub-Position": {itoa(e.Epoch) + "-" + itoa(e.Seq)},
		"Replhub-Time":     {e.Time.UTC().Format("2006-01-02T15:04:05.999999999Z07:00")},
	})
	for _, name := range []string{"Replhub-Origin", "Replhub-Version"} {
		if v := firstOf(e.Header, name); v != "" {
			h[name] = []string{v}
		}
	}
	if k := e.key(); k != "" {
		h["Replhub-Key"] = []string{k}
	}
	return h
}
