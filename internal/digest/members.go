package digest

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// walker goes over JSON that is known to be valid, without decoding it: a table has
// millions of rows, and most values of a row are only cut out.
type walker struct {
	raw []byte
	at  int
}

// members calls visit for each member of an object, in its order, with the name and the
// value as they are written. Several members may have one name; the last one counts. It
// reports false where the JSON is no object.
func members(raw []byte, visit func(name, value []byte)) bool {
	w := walker{raw: raw}
	return w.container('{', '}', func() {
		name := w.value()
		w.skip(':')
		visit(name, w.value())
	})
}

// elements calls visit for each element of an array.
func elements(raw []byte, visit func(value []byte)) {
	w := walker{raw: raw}
	w.container('[', ']', func() { visit(w.value()) })
}

// container goes over what stands between two brackets.
func (w *walker) container(begin, end byte, each func()) bool {
	if !w.skip(begin) {
		return false
	}
	for !w.skip(end) {
		each()
		w.skip(',')
	}
	return true
}

// skip passes over white space, and over a character if that comes next.
func (w *walker) skip(c byte) bool {
	for w.at < len(w.raw) {
		switch w.raw[w.at] {
		case ' ', '\t', '\n', '\r':
			w.at++
			continue
		case c:
			w.at++
			return true
		}
		return false
	}
	return true // not reached in valid JSON; it ends every loop
}

// value cuts out the next value.
func (w *walker) value() []byte {
	w.skip(0)
	begin, depth := w.at, 0
	for w.at < len(w.raw) {
		switch w.raw[w.at] {
		case '"':
			w.text()
			if depth == 0 {
				return w.raw[begin:w.at]
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return w.raw[begin:w.at] // a number, or a word, ends here
			}
			if depth--; depth == 0 {
				w.at++
				return w.raw[begin:w.at]
			}
		case ',', ' ', '\t', '\n', '\r':
			if depth == 0 {
				return w.raw[begin:w.at]
			}
		}
		w.at++
	}
	return w.raw[begin:]
}

// text passes over a string.
func (w *walker) text() {
	for w.at++; w.at < len(w.raw); w.at++ {
		switch w.raw[w.at] {
		case '\\':
			w.at++
		case '"':
			w.at++
			return
		}
	}
}

// unquoted is the text of a JSON string, as encoding/json decodes it.
func unquoted(raw []byte) string {
	inside := raw[1 : len(raw)-1]
	if bytes.IndexByte(inside, '\\') < 0 && utf8.Valid(inside) {
		return string(inside)
	}
	var text string
	_ = json.Unmarshal(raw, &text) // it is valid
	return text
}
