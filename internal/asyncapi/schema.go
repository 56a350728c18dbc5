package asyncapi

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/replhub/replhub/internal/contract"
)

// schemas are the JSON schemas of the contract's types.
type schemas struct {
	comments *comments
	// requests and replies are the named types that requests and replies have.
	requests, replies map[string]reflect.Type
}

func newSchemas(c *comments) *schemas {
	return &schemas{comments: c, requests: make(map[string]reflect.Type), replies: make(map[string]reflect.Type)}
}

// request and reply are references to the schema of a type, which they note.
func (s *schemas) request(v any) object { return s.refer(reflect.TypeOf(v).Elem(), s.requests) }

func (s *schemas) reply(v any) object { return s.refer(reflect.TypeOf(v).Elem(), s.replies) }

func (s *schemas) refer(t reflect.Type, into map[string]reflect.Type) object {
	if _, ok := into[t.Name()]; !ok {
		into[t.Name()] = t
		for _, f := range fieldsOf(t) {
			s.of(f.Type, into)
		}
	}
	return object{{"$ref", "#/components/schemas/" + t.Name()}}
}

// of is the schema of a type; structs are references.
func (s *schemas) of(t reflect.Type, into map[string]reflect.Type) object {
	switch t {
	case reflect.TypeFor[time.Time]():
		return object{{"type", "string"}, {"format", "date-time"}}
	case reflect.TypeFor[contract.Duration]():
		return object{{"type", "string"}, {"description", `Go's notation, such as "1h30m".`}}
	case reflect.TypeFor[contract.Start]():
		return object{{"type", []string{"string", "integer"}}}
	case reflect.TypeFor[contract.Code]():
		return object{{"type", "string"}, {"enum", s.comments.valued("Code")}}
	case reflect.TypeFor[[]byte]():
		return object{{"type", "string"}, {"contentEncoding", "base64"}}
	case reflect.TypeFor[json.RawMessage]():
		return object{}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.of(t.Elem(), into)
	case reflect.Slice:
		return object{{"type", "array"}, {"items", s.of(t.Elem(), into)}}
	case reflect.Map:
		return object{{"type", "object"}, {"additionalProperties", s.of(t.Elem(), into)}}
	case reflect.Struct:
		return s.refer(t, into)
	case reflect.String:
		return object{{"type", "string"}}
	case reflect.Bool:
		return object{{"type", "boolean"}}
	case reflect.Float64:
		return object{{"type", "number"}}
	case reflect.Uint64, reflect.Uint:
		return object{{"type", "integer"}, {"minimum", 0}}
	default:
		return object{{"type", "integer"}}
	}
}

// field is a member of a struct's JSON.
type field struct {
	reflect.StructField
	// in is the name of the struct that declares it: an embedded one has its own.
	in, name string
	optional bool
}

// fieldsOf are the members of a struct's JSON, those of embedded structs in their place.
func fieldsOf(t reflect.Type) []field {
	var all []field
	for f := range t.Fields() {
		if f.Anonymous {
			all = append(all, fieldsOf(f.Type)...)
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		all = append(all, field{f, t.Name(), name, strings.Contains(options, "omit")})
	}
	return all
}

// components are the schemas of all types that were referred to, by name. What only
// requests have is closed: the hub refuses a member that it does not know. What replies
// have may get more members.
func (s *schemas) components() object {
	all := maps.Clone(s.requests)
	maps.Copy(all, s.replies)
	var out object
	for _, name := range slices.Sorted(maps.Keys(all)) {
		_, open := s.replies[name]
		out = out.with(name, s.structure(all[name], !open))
	}
	return out
}

func (s *schemas) structure(t reflect.Type, closed bool) object {
	o := object{{"type", "object"}}
	if doc := s.comments.of[t.Name()]; doc != "" {
		o = o.with("description", doc)
	}
	var required []string
	var properties object
	for _, f := range fieldsOf(t) {
		schema := s.of(f.Type, make(map[string]reflect.Type))
		if doc := s.comments.of[f.in+"."+f.Name]; doc != "" && schema[0].name != "$ref" {
			schema = slices.DeleteFunc(schema, func(m member) bool { return m.name == "description" }).with("description", doc)
		}
		properties = properties.with(f.name, schema)
		if !f.optional {
			required = append(required, f.name)
		}
	}
	if len(properties) > 0 {
		o = o.with("properties", properties)
	}
	if len(required) > 0 {
		o = o.with("required", required)
	}
	if closed {
		o = o.with("additionalProperties", false)
	}
	return o
}
