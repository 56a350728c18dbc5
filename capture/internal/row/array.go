package row

import (
	"bytes"
	"errors"
)

// appendArray appends an array as a JSON array, each element by its type's rule, and
// arrays of several dimensions as arrays in arrays. Two sorts of arrays have no such
// form and are a JSON string of PostgreSQL's text: those whose subscripts do not begin
// with 1 ("[0:1]={1,2}"), and those of several dimensions whose elements are JSON,
// because an array among the elements looks like a dimension.
func (t Type) appendArray(out, text []byte) ([]byte, error) {
	if len(text) == 0 || text[0] != '{' || t.element.kind == kindJSON && bytes.HasPrefix(text, []byte("{{")) {
		return appendString(out, text)
	}
	p := arrayReader{text: text, element: *t.element, delimiter: t.delimiter}
	out, err := p.array(out)
	if err == nil && p.at != len(text) {
		err = errNoArray
	}
	return out, err
}

var errNoArray = errors.New("the text is no array as PostgreSQL prints it")

// arrayReader reads the text of an array once, from left to right.
type arrayReader struct {
	text      []byte
	at        int
	element   Type
	delimiter byte
}

// array reads from a brace to the one that closes it.
func (p *arrayReader) array(out []byte) ([]byte, error) {
	p.at++ // the brace
	out = append(out, '[')
	for first := true; ; first = false {
		if p.at >= len(p.text) {
			return out, errNoArray
		}
		if c := p.text[p.at]; c == '}' {
			p.at++
			return append(out, ']'), nil
		} else if !first {
			if c != p.delimiter {
				return out, errNoArray
			}
			p.at++
			out = append(out, ',')
		}
		var err error
		if out, err = p.member(out); err != nil {
			return out, err
		}
	}
}

func (p *arrayReader) member(out []byte) ([]byte, error) {
	if p.at >= len(p.text) {
		return out, errNoArray
	}
	switch p.text[p.at] {
	case '{':
		return p.array(out)
	case '"':
		text, err := p.quoted()
		if err != nil {
			return out, err
		}
		return p.element.append(out, text)
	}
	// PostgreSQL quotes an element that is the text NULL.
	text := p.bare()
	if string(text) == "NULL" {
		return append(out, "null"...), nil
	}
	return p.element.append(out, text)
}

// quoted reads an element in quotes, in which a backslash precedes quotes and
// backslashes.
func (p *arrayReader) quoted() ([]byte, error) {
	var text []byte
	for p.at++; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; c {
		case '"':
			p.at++
			return text, nil
		case '\\':
			p.at++
			if p.at >= len(p.text) {
				return nil, errNoArray
			}
			text = append(text, p.text[p.at])
		default:
			text = append(text, c)
		}
	}
	return nil, errNoArray
}

// bare reads an element without quotes.
func (p *arrayReader) bare() []byte {
	from := p.at
	for p.at < len(p.text) && p.text[p.at] != p.delimiter && p.text[p.at] != '}' {
		p.at++
	}
	return p.text[from:p.at]
}
