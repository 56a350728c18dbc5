package match

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/replhub/replhub/internal/contract"
)

// The bounds of an interest's fields.
const (
	MaxFields     = 256  // fields of one interest
	MaxFieldPath  = 1024 // bytes of one path
	MaxFieldDepth = 16   // names in one path
)

// path is a parsed field: the names from the payload's top down.
type path []string

// parsePath parses a field such as "address.city": names separated by dots. A
// backslash takes the dot or backslash after it as part of the name, so that
// any name but the empty one can be written. The error is in words for people.
func parsePath(s string) (path, error) {
	if s == "" {
		return nil, errors.New("is empty; want names separated by dots, such as address.city")
	}
	if len(s) > MaxFieldPath {
		return nil, fmt.Errorf("is %d bytes long; at most %d are allowed", len(s), MaxFieldPath)
	}
	if !utf8.ValidString(s) {
		return nil, errors.New("is not valid UTF-8")
	}
	var (
		p    path
		name strings.Builder
	)
	for i := 0; i <= len(s); i++ {
		if i < len(s) && s[i] != '.' {
			if s[i] == '\\' {
				i++
				if i == len(s) || s[i] != '.' && s[i] != '\\' {
					return nil, errors.New("has a backslash that escapes neither a dot nor a backslash")
				}
			}
			name.WriteByte(s[i])
			continue
		}
		if name.Len() == 0 {
			return nil, fmt.Errorf("has an empty name at byte %d; want names separated by single dots", i)
		}
		p = append(p, name.String())
		name.Reset()
	}
	if len(p) > MaxFieldDepth {
		return nil, fmt.Errorf("is %d names deep; at most %d are allowed", len(p), MaxFieldDepth)
	}
	return p, nil
}

// indexed names an element of a list in a refusal.
func indexed(list string, i int) string { return fmt.Sprintf("%s[%d]", list, i) }

// compileFields parses and joins an interest's fields. Refused are those that
// say twice the same: a path given twice, and a path below another.
func compileFields(fields []string) (*projection, error) {
	if len(fields) > MaxFields {
		return nil, contract.FieldErrorf(contract.CodeInvalidValue, "fields", "%d fields; at most %d are allowed", len(fields), MaxFields)
	}
	root := newNode()
	for i, field := range fields {
		at := indexed("fields", i)
		p, err := parsePath(field)
		if err != nil {
			return nil, contract.FieldErrorf(contract.CodeInvalidValue, at, "%.100q %v", field, err)
		}
		if !root.add(p) {
			return nil, contract.FieldErrorf(contract.CodeInvalidValue, at, "%.100q overlaps another of the fields: state each once, and none below another", field)
		}
	}
	return &projection{root: root}, nil
}
