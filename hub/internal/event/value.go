package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"weak"
)

// Object is a JSON object: members by name, and their names in byte order, so
// that every hub goes over it in the same order. Of members of
// the same name the last one written counts. It is read-only and safe for
// concurrent use.
type Object struct {
	members map[string]any

	namesOnce sync.Once
	names     []string
}

// Members are the object's members; the map is shared and read-only.
func (o *Object) Members() map[string]any { return o.members }

// Names are the members' names in byte order; the slice is shared and
// read-only.
func (o *Object) Names() []string {
	o.namesOnce.Do(func() { o.names = slices.Sorted(maps.Keys(o.members)) })
	return o.names
}

// Value is the payload as JSON: nil, bool, string, int64, float64, []any or
// *Object. A number that is written without fraction and exponent and fits an
// int64 is an int64, exactly; every other is the nearest float64, which beyond
// its range is infinite. JSON is what encoding/json takes, nested up to 10,000
// levels.
//
// The value is shared with other callers while anybody uses it, and read-only. An
// event keeps none by itself: a decoded payload takes many times its bytes.
func (e *Event) Value() (any, error) { return e.decoded.of(e.Data) }

// decodedValue is a payload's value for as long as somebody uses it, or the
// garbage collector has not come by. The zero value is ready.
type decodedValue struct {
	mu   sync.Mutex // guards kept; held while decoding, so that it is done once
	kept weak.Pointer[valueOrError]
}

type valueOrError struct {
	value any
	err   error
}

func (d *decodedValue) of(data []byte) (any, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	v := d.kept.Value()
	if v == nil {
		v = new(valueOrError)
		v.value, v.err = decodeValue(data)
		d.kept = weak.Make(v)
	}
	return v.value, v.err
}

func decodeValue(data []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("decode payload: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("decode payload: more follows the JSON value")
	}
	return exact(v), nil
}

// exact gives each number and object in v its documented type. It descends no
// deeper than the decoder let v be.
func exact(v any) any {
	switch v := v.(type) {
	case json.Number:
		return number(string(v))
	case map[string]any:
		for name, member := range v {
			v[name] = exact(member)
		}
		return &Object{members: v}
	case []any:
		for i, element := range v {
			v[i] = exact(element)
		}
	}
	return v
}

func number(s string) any {
	if !strings.ContainsAny(s, ".eE") {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return n
		}
	}
	// Out of range is no error here: the result is then infinite, alike on
	// every hub.
	f, _ := strconv.ParseFloat(s, 64)
	return f
}
