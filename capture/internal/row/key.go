package row

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/replhub/replhub/capture/internal/change"
	"github.com/replhub/replhub/internal/contract"
)

// KeyError is a row whose key cannot be the key of an event. If its values are the reason,
// the error is a change.UnfitError, too: the row must be changed, or the table left out.
// Else the replica identity of the table is the reason.
type KeyError struct {
	Table string
	Err   error
}

// Error names the table, never the key.
func (e *KeyError) Error() string { return fmt.Sprintf("table %s: %v", e.Table, e.Err) }

// Unwrap returns the reason.
func (e *KeyError) Unwrap() error { return e.Err }

var (
	errNullKey   = errors.New("it belongs to the key and is NULL; the replica identity of the table must have the columns of the key")
	errUnchanged = errors.New("it belongs to the key, and its value was left out by logical decoding")
	errKeyText   = fmt.Errorf("the key is not 1 to %d bytes without control characters and without white space at its ends", contract.MaxKey)
)

// Key returns the key of a row, of which only the columns of the key need values.
//
// The key of one column is the text of its JSON value: of a string its characters, else
// the JSON. The key of several columns is a JSON array of their values in the order of
// the table's columns, without white space, in which a string escapes the quote, the backslash and control characters
// only. In a key, a numeric has no zeros at the end of its fraction: 1.10 and 1.1 are
// equal to PostgreSQL. An error is a *KeyError.
func (s *Shape) Key(t change.Tuple) (string, error) {
	var out []byte
	several := len(s.key) > 1
	for n, at := range s.key {
		switch {
		case t[at].Kind == change.Null:
			return "", &KeyError{s.table, fmt.Errorf("column %q: %w", s.columns[at].Name, errNullKey)}
		case t[at].Kind == change.Unchanged:
			return "", &KeyError{s.table, fmt.Errorf("column %q: %w", s.columns[at].Name, errUnchanged)}
		case several && n == 0:
			out = append(out, '[')
		case several:
			out = append(out, ',')
		}
		var err error
		if out, err = s.columns[at].Type.appendKey(out, t[at].Text); err != nil {
			return "", &KeyError{s.table, fmt.Errorf("column %q: %w", s.columns[at].Name, err)}
		}
	}
	key := string(out)
	switch {
	case several:
		key += "]"
	case out[0] == '"':
		// The escapes of appendString are JSON's.
		if err := json.Unmarshal(out, &key); err != nil {
			return "", &KeyError{s.table, err}
		}
	}
	if !contract.ValidKey(key) {
		return "", &KeyError{s.table, &change.UnfitError{Err: errKeyText}}
	}
	return key, nil
}

// appendKey appends the JSON of a value of the key.
func (t Type) appendKey(out, text []byte) ([]byte, error) {
	if t.kind == kindNumeric {
		text = shortest(text)
	}
	return t.append(out, text)
}

// shortest is a numeric without zeros at the end of its fraction.
func shortest(text []byte) []byte {
	if !bytes.Contains(text, []byte(".")) {
		return text
	}
	text = bytes.TrimSuffix(bytes.TrimRight(text, "0"), []byte("."))
	if string(text) == "-0" { // not printed by PostgreSQL, whose zero has no sign
		return text[1:]
	}
	return text
}

// Literals returns the values of a key's columns, in the order of KeyColumns, in a form
// that PostgreSQL reads. It is the inverse of Key. A text that no row of this Shape has as its key is an error.
func (s *Shape) Literals(key string) ([]string, error) {
	if len(s.key) == 1 {
		text, err := s.columns[s.key[0]].Type.literal(key)
		return []string{text}, err
	}
	dec := json.NewDecoder(strings.NewReader(key))
	dec.UseNumber()
	var members []any
	if err := dec.Decode(&members); err != nil {
		return nil, fmt.Errorf("the key is no JSON array: %w", err)
	}
	if len(members) != len(s.key) {
		return nil, fmt.Errorf("the key has %d values, and the table's key %d columns", len(members), len(s.key))
	}
	texts := make([]string, len(members))
	for n, m := range members {
		var err error
		if texts[n], err = s.columns[s.key[n]].Type.literal(fmt.Sprint(m)); err != nil {
			return nil, err
		}
	}
	return texts, nil
}

func (t Type) literal(text string) (string, error) {
	if t.kind != kindBytes {
		return text, nil
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	return `\x` + hex.EncodeToString(raw), err
}
