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
)

// Object is a JSON object: members by name, and their names in byte order, so
// that whoever goes over it does so in the same order everywhere. Of members of
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
// The payload is decoded at the first call, once; the value is shared and
// read-only.
func (e *Event) Value() (any, error) {
	e.valueOnce.Do(func() { e.value, e.valueErr = decodeValue(e.Data) })
	return e.value, e.valueErr
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
