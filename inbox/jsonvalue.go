package inbox

import (
	"encoding/json"
	"errors"
	"unicode/utf8"

	"github.com/replhub/replhub/internal/contract"
)

// jsonKind is a kind of JSON value.
type jsonKind int

const (
	jsonNull jsonKind = iota
	jsonString
	jsonNumber
	jsonBool
	jsonObject
	jsonArray
)

func (k jsonKind) String() string {
	return [...]string{"null", "a string", "a number", "a bool", "an object", "an array"}[k]
}

// jsonValue is a JSON value as it is written.
type jsonValue struct {
	kind jsonKind
	// raw is its text, valid JSON without white space around it.
	raw []byte
	// text is a string's value, or a number's text.
	text string
	// exact says of a string that text is its value: it holds no invalid UTF-8
	// and no half of a surrogate pair.
	exact bool
}

// newJSONValue takes valid JSON.
func newJSONValue(raw []byte) jsonValue {
	v := jsonValue{raw: raw}
	switch raw[0] {
	case '"':
		v.kind = jsonString
		v.text, v.exact = contract.ExactText(raw)
	case '{':
		v.kind = jsonObject
	case '[':
		v.kind = jsonArray
	case 't', 'f':
		v.kind = jsonBool
	case 'n':
		v.kind = jsonNull
	default:
		v.kind, v.text = jsonNumber, string(raw)
	}
	return v
}

// stringValue is the JSON string of a text.
func stringValue(text string) jsonValue {
	return jsonValue{kind: jsonString, text: text, exact: utf8.ValidString(text), raw: []byte(text)}
}

var (
	errInexactText = errors.New("it holds invalid UTF-8 or half a surrogate pair, which is no text")
	errInvalidUTF8 = errors.New("it holds invalid UTF-8")
)

// textOf is v as text: a string's value; of all else the JSON as it is written.
func textOf(v jsonValue) (string, error) {
	switch {
	case v.kind == jsonString && !v.exact:
		return "", errInexactText
	case v.kind == jsonString:
		return v.text, nil
	case !utf8.Valid(v.raw):
		return "", errInvalidUTF8
	default:
		return string(v.raw), nil
	}
}

// decoded is v as a Convert function is given it.
func (v jsonValue) decoded() (any, error) {
	switch v.kind {
	case jsonNull:
		return nil, nil
	case jsonString:
		if !v.exact {
			return nil, errInexactText
		}
		return v.text, nil
	case jsonNumber:
		return json.Number(v.text), nil
	case jsonBool:
		return v.raw[0] == 't', nil
	case jsonObject, jsonArray:
	}
	if !utf8.Valid(v.raw) || contract.HasLoneSurrogate(v.raw) {
		return nil, errInexactText
	}
	var value any
	err := decodeNumbers(v.raw, &value)
	return value, err
}
