package view

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxShown bounds what a page shows of one payload, in bytes.
const maxShown = 64 << 10

// Payload is a payload as text: indented JSON, else the text itself, else a quoted form.
func Payload(data []byte) string {
	switch {
	case len(data) == 0:
		return "no payload"
	case len(data) > maxShown:
		return cut(fmt.Sprintf("%q", data[:maxShown]), maxShown) + fmt.Sprintf("\n(%s; cut)", Bytes(uint64(len(data))))
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, data, "", "  "); err == nil {
		return indented.String()
	}
	if utf8.Valid(data) {
		return string(data)
	}
	return fmt.Sprintf("%q", data)
}

// Pair is one header.
type Pair struct{ Name, Value string }

// Headers are headers in the order of their names.
func Headers(h map[string][]string) []Pair {
	list := make([]Pair, 0, len(h))
	for _, name := range slices.Sorted(maps.Keys(h)) {
		list = append(list, Pair{name, cut(strings.Join(h[name], ", "), 2000)})
	}
	return list
}
