package mirror

import (
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrPath refuses a path that is no record's: a segment outside
	// [a-zA-Z0-9_-]+, or no pattern that it fits.
	ErrPath = errors.New("not a record's path")
	// ErrValue refuses a value over the bound.
	ErrValue = errors.New("value too large")
)

// Kind is what may be found under a path.
type Kind int

// Kinds of paths.
const (
	Garbage Kind = iota
	Folder
	Record
	// RecordFolder is a record with records below it.
	RecordFolder
)

// IsRecord reports whether the path may hold a value.
func (k Kind) IsRecord() bool { return k == Record || k == RecordFolder }

// IsFolder reports whether records may lie below the path.
func (k Kind) IsFolder() bool { return k == Folder || k == RecordFolder }

// Layout says which paths of a tree are records. It is immutable.
type Layout struct {
	patterns [][]string
	maxValue int
}

// NewLayout parses patterns such as "entities/*/*", where * is any one
// segment. Values are bounded by maxValue bytes.
func NewLayout(patterns []string, maxValue int) (Layout, error) {
	l := Layout{maxValue: maxValue}
	if len(patterns) == 0 {
		return l, errors.New("at least one pattern is needed")
	}
	for _, p := range patterns {
		segments := strings.Split(p, "/")
		for _, s := range segments {
			if s != "*" && !ValidSegment(s) {
				return l, fmt.Errorf("%q: segment %q is neither * nor of [a-zA-Z0-9_-]+", p, s)
			}
		}
		l.patterns = append(l.patterns, segments)
	}
	return l, nil
}

// Kind tells what path is. The empty path is the root, a folder.
func (l Layout) Kind(path string) Kind {
	var segments []string
	if path != "" {
		segments = strings.Split(path, "/")
	}
	for _, s := range segments {
		if !ValidSegment(s) {
			return Garbage
		}
	}
	record, folder := false, false
	for _, p := range l.patterns {
		if fits(segments, p) {
			record = record || len(segments) == len(p)
			folder = folder || len(segments) < len(p)
		}
	}
	switch {
	case record && folder:
		return RecordFolder
	case record:
		return Record
	case folder:
		return Folder
	}
	return Garbage
}

// fits reports whether segments match the beginning of pattern.
func fits(segments, pattern []string) bool {
	if len(segments) > len(pattern) {
		return false
	}
	for i, s := range segments {
		if pattern[i] != "*" && pattern[i] != s {
			return false
		}
	}
	return true
}

// CheckPath returns ErrPath unless path is a record's.
func (l Layout) CheckPath(path string) error {
	if !l.Kind(path).IsRecord() {
		return fmt.Errorf("%w: %q", ErrPath, path)
	}
	return nil
}

// CheckWrite returns ErrPath or ErrValue when a record cannot be written so.
func (l Layout) CheckWrite(path string, value []byte) error {
	if err := l.CheckPath(path); err != nil {
		return err
	}
	if !l.Holds(len(value)) {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrValue, len(value), l.maxValue)
	}
	return nil
}

// Holds reports whether a value of n bytes is within the bound.
func (l Layout) Holds(n int) bool { return n <= l.maxValue }

// ValidSegment reports whether s is of [a-zA-Z0-9_-]+.
func ValidSegment(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return s != ""
}
