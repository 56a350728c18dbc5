package row

import (
	"bytes"
	"errors"
)

// regular reports whether a text begins with a date and time of the years 1 to 9999,
// such as "2024-01-02 03:04:05". Only these have a form in RFC 3339. PostgreSQL also
// has longer years, years "BC", and the infinities, which keep PostgreSQL's text.
func regular(text []byte) bool {
	return len(text) >= len("2024-01-02 03:04:05") && text[4] == '-' && text[10] == ' ' && !bytes.HasSuffix(text, []byte(" BC"))
}

// isoMoment has a T between date and time: "2024-01-02T03:04:05.678".
func isoMoment(text []byte) []byte {
	if !regular(text) {
		return text
	}
	moment := bytes.Clone(text)
	moment[10] = 'T'
	return moment
}

var errNotUTC = errors.New("a timestamp with time zone is not in UTC; the session must have timezone=UTC")

// utcMoment is RFC 3339 in UTC: "2024-01-02T03:04:05.678Z".
func utcMoment(text []byte) ([]byte, error) {
	if string(text) == "infinity" || string(text) == "-infinity" {
		return text, nil
	}
	clock, utc := bytes.CutSuffix(bytes.TrimSuffix(text, []byte(" BC")), []byte("+00"))
	switch {
	case !utc:
		return nil, errNotUTC
	case !regular(text):
		return text, nil
	}
	return append(isoMoment(clock), 'Z'), nil
}

// wholeOffset writes an offset of whole hours with its minutes: 12:30:45+01 is
// 12:30:45+01:00.
func wholeOffset(text []byte) []byte {
	at := bytes.LastIndexAny(text, "+-")
	if at < 0 || len(text)-at != len("+01") {
		return text
	}
	return append(bytes.Clone(text), ":00"...)
}
