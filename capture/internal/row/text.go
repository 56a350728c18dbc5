package row

import (
	"errors"
	"unicode/utf8"

	"github.com/replhub/replhub/capture/internal/change"
)

var errNoText error = &change.UnfitError{Err: errors.New("the text is not valid UTF-8")}

const hexDigits = "0123456789abcdef"

// appendString appends a JSON string. It escapes the quote, the backslash and the
// control characters U+0000 to U+001F and U+007F, the latter all as \u00xx, and no
// other character: one text has one form, as keys need. Invalid UTF-8 is an error.
func appendString(out, text []byte) ([]byte, error) {
	if !utf8.Valid(text) {
		return out, errNoText
	}
	out = append(out, '"')
	from := 0
	for at, c := range text {
		if c >= ' ' && c != '"' && c != '\\' && c != 0x7f {
			continue
		}
		out = append(out, text[from:at]...)
		from = at + 1
		if c == '"' || c == '\\' {
			out = append(out, '\\', c)
		} else {
			out = append(out, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return append(append(out, text[from:]...), '"'), nil
}
