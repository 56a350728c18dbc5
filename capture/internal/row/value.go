package row

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
)

// append appends the JSON of a value that PostgreSQL printed as text.
func (t Type) append(out, text []byte) ([]byte, error) {
	switch t.kind {
	case kindText, kindFolded, kindOpaque:
		return appendString(out, text)
	case kindBool:
		return appendBool(out, text)
	case kindInteger:
		return append(out, text...), nil
	case kindNumeric, kindFloat:
		return appendNumber(out, text)
	case kindPadded:
		return appendString(out, bytes.TrimRight(text, " "))
	case kindBytes:
		return appendBytes(out, text)
	case kindClockZone:
		return appendString(out, wholeOffset(text))
	case kindMoment:
		return appendString(out, isoMoment(text))
	case kindMomentZone:
		moment, err := utcMoment(text)
		if err != nil {
			return out, err
		}
		return appendString(out, moment)
	case kindJSON:
		return append(out, text...), nil
	case kindArray:
		return t.appendArray(out, text)
	default:
		return out, fmt.Errorf("kind %d has no rule", t.kind)
	}
}

func appendBool(out, text []byte) ([]byte, error) {
	switch string(text) {
	case "t":
		return append(out, "true"...), nil
	case "f":
		return append(out, "false"...), nil
	}
	return out, fmt.Errorf("%.20q is no boolean", text)
}

// appendNumber appends a number as PostgreSQL prints it, with its zeros: 1.10 stays
// 1.10. JSON has no number for NaN and the infinities, which are strings.
func appendNumber(out, text []byte) ([]byte, error) {
	switch string(text) {
	case "NaN", "Infinity", "-Infinity":
		return appendString(out, text)
	}
	return append(out, text...), nil
}

// appendBytes appends a bytea as base64.
func appendBytes(out, text []byte) ([]byte, error) {
	digits, ok := bytes.CutPrefix(text, []byte(`\x`))
	if !ok {
		return out, errors.New("a bytea is not in the form hex; the session must have bytea_output=hex")
	}
	raw := make([]byte, hex.DecodedLen(len(digits)))
	if _, err := hex.Decode(raw, digits); err != nil {
		return out, fmt.Errorf("bytea: %w", err)
	}
	out = append(out, '"')
	out = base64.StdEncoding.AppendEncode(out, raw)
	return append(out, '"'), nil
}
