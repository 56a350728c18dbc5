package digest

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/replhub/replhub/internal/contract"
)

// Form is a normal form of values. "[]" before a form is that of an array whose elements
// have the form.
type Form string

// The forms. A value that has no normal form in its column's form gets one of its own, so
// that it differs from every value that has.
const (
	// Text is a string's characters; of all else, the JSON as it is written.
	Text Form = "text"
	// Number is a number by its value, however it is spelt. A string that is a number in
	// full counts as one, and true and false as 1 and 0. Other strings are text.
	Number Form = "number"
	// Bool is true or false.
	Bool Form = "bool"
	// Bytes are what a string holds in base64.
	Bytes Form = "bytes"
	// Moment is a point in time, whatever its offset; without an offset it counts as UTC.
	Moment Form = "moment"
	// Clock is a time of day, with the offset that is written.
	Clock Form = "clock"
	// JSON is a value by its structure: order of members, spelling of numbers and white
	// space do not count.
	JSON Form = "json"
	// Loose is a column without a type: texts and numbers differ, and true and false
	// are 1 and 0.
	Loose Form = "loose"
	// LooseJSON is JSON in a column of SQLite: numbers and bools as in Loose, all else as in
	// JSON.
	LooseJSON Form = "loosejson"
)

const arrayOf = "[]"

// Known reports whether the form is one of this package.
func (f Form) Known() bool {
	f = Form(strings.TrimPrefix(string(f), arrayOf))
	return slices.Contains([]Form{Text, Number, Bool, Bytes, Moment, Clock, JSON, Loose, LooseJSON}, f)
}

// Null is the normal form of null, and of a member that is missing.
const Null = "0"

// Nowhere is the normal form where a path leads through something that has no members. No
// value has it.
const Nowhere = "w"

// The first letters of normal forms.
const (
	tagText   = "t"
	tagNumber = "n"
	tagBytes  = "b"
	tagTime   = "m"
	tagJSON   = "j"
	tagArray  = "a"
	tagOther  = "x" // no value of the form
)

// OfText is the normal form of a text.
func OfText(text string) string { return tagText + text }

// OfBytes is the normal form of bytes.
func OfBytes(raw []byte) string { return tagBytes + base64.StdEncoding.EncodeToString(raw) }

// Key is the key that a normal form stands for: a text, the plain digits of a number, or
// bytes in base64. Empty if it is none of these.
func Key(normal string) string {
	switch {
	case strings.HasPrefix(normal, tagText), strings.HasPrefix(normal, tagBytes):
		return normal[1:]
	case strings.HasPrefix(normal, tagNumber):
		return plain(normal[1:])
	}
	return ""
}

// Of is the normal form of a JSON value, which is valid and has no white space around it.
func (f Form) Of(raw []byte) string {
	if raw[0] == 'n' {
		return Null
	}
	if element, ok := strings.CutPrefix(string(f), arrayOf); ok {
		return Form(element).ofArray(raw)
	}
	normal, ok := f.of(raw)
	if !ok {
		return tagOther + string(raw)
	}
	return normal
}

func (f Form) ofArray(raw []byte) string {
	var elements []json.RawMessage
	if raw[0] != '[' || json.Unmarshal(raw, &elements) != nil {
		return tagOther + string(raw)
	}
	b := append(make([]byte, 0, 2*len(raw)), tagArray...)
	for _, element := range elements {
		normal := f.Of(element)
		b = fmt.Appendf(b, "%d:%s", len(normal), normal)
	}
	return string(b)
}

func (f Form) of(raw []byte) (string, bool) {
	if f == JSON || f == LooseJSON {
		return f.ofJSON(raw)
	}
	switch raw[0] {
	case '"':
		text, exact := contract.ExactText(raw)
		if !exact {
			return "", false
		}
		return f.ofString(text)
	case 't', 'f':
		if f == Number || f == Loose {
			return tagNumber + map[byte]string{'t': "1", 'f': "0"}[raw[0]], true
		}
		return tagText + string(raw), f == Bool || f == Text
	case '{', '[':
		return tagText + string(raw), f == Text || f == Number || f == Loose
	}
	if f == Text {
		return tagText + string(raw), true
	}
	number, ok := canonical(string(raw))
	return tagNumber + number, ok && (f == Number || f == Loose)
}

func (f Form) ofString(text string) (string, bool) {
	switch f {
	case Text, Loose:
		return tagText + text, true
	case Number:
		if number, ok := canonical(text); ok && inFull(text) {
			return tagNumber + number, true
		}
		return tagText + text, true
	case Bytes:
		if digits, ok := strings.CutPrefix(text, `\x`); ok { // an element of an array of PostgreSQL
			raw, err := hex.DecodeString(digits)
			return OfBytes(raw), err == nil
		}
		return tagBytes + text, true
	case Moment:
		return moment(text)
	case Clock:
		return clock(text), true
	case Bool, JSON, LooseJSON:
	}
	return "", false
}

// moment takes RFC 3339 with a T or a blank, with an offset or without, and PostgreSQL's
// offsets of two digits.
func moment(text string) (string, bool) {
	if len(text) < len("2006-01-02T15:04:05") {
		return "", false
	}
	day, rest := text[:10], strings.ToUpper(text[11:])
	layout := "2006-01-02T15:04:05"
	switch i := strings.IndexAny(rest, "Z+-"); {
	case i < 0:
	case len(rest)-i == len("+01"):
		layout += "Z07"
	default:
		layout += "Z07:00"
	}
	at, err := time.Parse(layout, day+"T"+rest)
	if err != nil {
		return "", false
	}
	return tagTime + at.UTC().Format("2006-01-02T15:04:05.999999999"), true
}

// clock is a time of day without zeros at the end of its fraction, and with an offset of
// hours and minutes.
func clock(text string) string {
	at, offset := text, ""
	if i := strings.IndexAny(text, "zZ+-"); i >= 0 {
		at, offset = text[:i], text[i:]
	}
	if strings.Contains(at, ".") {
		at = strings.TrimRight(strings.TrimRight(at, "0"), ".")
	}
	switch {
	case offset == "z" || offset == "Z":
		offset = "+00:00"
	case len(offset) == len("+01"):
		offset += ":00"
	}
	if offset == "-00:00" {
		offset = "+00:00"
	}
	return tagTime + at + offset
}

func (f Form) ofJSON(raw []byte) (string, bool) {
	if f == LooseJSON && !bytes.ContainsAny(raw[:1], `"{[`) {
		return Loose.of(raw)
	}
	return string(appendJSON([]byte(tagJSON), raw)), true
}

// appendJSON appends a valid value with its members in order and its numbers by their value.
func appendJSON(b, raw []byte) []byte {
	switch raw[0] {
	case '{':
		return appendObject(b, raw)
	case '[':
		b = append(b, '[')
		elements(raw, func(value []byte) { b = append(appendJSON(b, value), ',') })
		return append(b, ']')
	case '"':
		return appendText(b, unquoted(raw))
	case 't', 'f', 'n':
		return append(b, raw...)
	}
	if number, ok := canonical(string(raw)); ok {
		return append(append(b, 'n'), number...)
	}
	return append(append(b, tagOther...), raw...)
}

// appendObject appends the members sorted by their names. Of several members with one name,
// the last one counts.
func appendObject(b, raw []byte) []byte {
	type member struct {
		name  string
		value []byte
	}
	all := make([]member, 0, 8)
	members(raw, func(name, value []byte) { all = append(all, member{unquoted(name), value}) })
	slices.SortStableFunc(all, func(x, y member) int { return strings.Compare(x.name, y.name) })
	b = append(b, '{')
	for n, m := range all {
		if n+1 < len(all) && all[n+1].name == m.name {
			continue
		}
		b = append(appendText(b, m.name), ':')
		b = append(appendJSON(b, m.value), ',')
	}
	return append(b, '}')
}

func appendText(b []byte, text string) []byte {
	b = append(strconv.AppendInt(b, int64(len(text)), 10), '"')
	return append(b, text...)
}

// OfStored is the normal form of a value that a database has written as text.
func (f Form) OfStored(text string) string {
	var normal string
	ok := true
	switch {
	case f == JSON, f == LooseJSON, strings.HasPrefix(string(f), arrayOf):
		if raw := bytes.TrimSpace([]byte(text)); json.Valid(raw) {
			return f.ofStoredJSON(raw)
		}
		ok = false
	case f == Number:
		if number, is := canonical(text); is {
			return tagNumber + number
		}
		normal = tagText + text
	case f == Moment, f == Clock:
		normal, ok = f.ofString(text)
	default:
		normal = tagText + text
	}
	if !ok {
		return tagOther + text
	}
	return normal
}

// ofStoredJSON is the normal form of JSON in a column. JSON's null there is a value, and
// the column is not NULL; a payload's null makes it NULL.
func (f Form) ofStoredJSON(raw []byte) string {
	if raw[0] == 'n' {
		return tagJSON + "null"
	}
	return f.Of(raw)
}

// Shown is a normal form as people read it; nil is null.
func Shown(normal string) *string {
	if normal == Null {
		return nil
	}
	text := normal[1:]
	if normal[:1] == tagNumber {
		text = plain(text)
	}
	return &text
}
