package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode"
)

// Decode decodes a control request into v, a pointer to a struct. A member that v has no
// field for is refused, and so is a name that an object has twice; the error names the
// member's path. An empty request is "{}". Every error is an *Error.
func Decode(data []byte, v any) error {
	data = bytes.TrimSpace(data)
	if len(data) == 0 {
		return nil
	}
	var raw any
	if err := json.Unmarshal(data, &raw); err != nil {
		return Errorf(CodeBadJSON, "the request is not JSON: %v", err)
	}
	if _, ok := raw.(map[string]any); !ok {
		return Errorf(CodeBadJSON, "the request must be a JSON object such as {}")
	}
	switch path, err := duplicateName(data); {
	case err != nil:
		return Errorf(CodeBadJSON, "the request is not JSON: %v", err)
	case path != "":
		return FieldErrorf(CodeInvalidValue, path, "it is there twice; remove one")
	}
	if path := unknownField(raw, reflect.TypeOf(v).Elem(), ""); path != "" {
		return FieldErrorf(CodeUnknownField, path, "no such field here; check its spelling and place")
	}
	err := json.Unmarshal(data, v)
	if typeErr, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return FieldErrorf(CodeInvalidValue, jsonPath(typeErr.Field), "want %s, not %s", typeWord(typeErr.Type), typeErr.Value)
	}
	if err != nil {
		return Errorf(CodeInvalidValue, "%v", err)
	}
	return nil
}

// unknownField returns the path of the first JSON member without a field in t,
// or "". Names match exactly: encoding/json alone would take any letter case.
func unknownField(raw any, t reflect.Type, path string) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch raw := raw.(type) {
	case map[string]any:
		return unknownMember(raw, t, path)
	case []any:
		if t.Kind() != reflect.Slice {
			return ""
		}
		for i, item := range raw {
			if p := unknownField(item, t.Elem(), fmt.Sprintf("%s[%d]", path, i)); p != "" {
				return p
			}
		}
	}
	return ""
}

func unknownMember(raw map[string]any, t reflect.Type, path string) string {
	if t.Kind() == reflect.Map {
		for name, value := range raw {
			if p := unknownField(value, t.Elem(), strings.TrimPrefix(path+"."+name, ".")); p != "" {
				return p
			}
		}
		return ""
	}
	if t.Kind() != reflect.Struct {
		return ""
	}
	fields := make(map[string]reflect.Type, t.NumField())
	for _, f := range reflect.VisibleFields(t) {
		if f.Anonymous {
			continue // its fields are listed on their own
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		fields[name] = f.Type
	}
	for name, value := range raw {
		at := strings.TrimPrefix(path+"."+name, ".")
		ft, ok := fields[name]
		if !ok {
			return at
		}
		if p := unknownField(value, ft, at); p != "" {
			return p
		}
	}
	return ""
}

// jsonPath is a path without the Go names of embedded structs, which encoding/json puts
// between the members. The contract's names begin with lower-case letters.
func jsonPath(path string) string {
	names := slices.DeleteFunc(strings.Split(path, "."), func(name string) bool {
		return name != "" && unicode.IsUpper(rune(name[0]))
	})
	return strings.Join(names, ".")
}

func typeWord(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "an array"
	case reflect.Struct, reflect.Map:
		return "an object"
	default:
		return "a number"
	}
}
