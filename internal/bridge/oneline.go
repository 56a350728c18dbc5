package bridge

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// OneLine makes a text from elsewhere, such as an answer or an error of a driver, safe
// for a log, a header and a terminal: one line of valid UTF-8 without control characters,
// and at most that many bytes, with an ellipsis where it was longer.
func OneLine(text string, most int) string {
	var b strings.Builder
	space := false
	for _, r := range text {
		switch {
		case unicode.IsSpace(r):
			space = b.Len() > 0
			continue
		case !unicode.IsPrint(r):
			r = utf8.RuneError
		}
		if b.Len()+utf8.RuneLen(r)+1 > most {
			return b.String() + "…"
		}
		if space {
			b.WriteByte(' ')
			space = false
		}
		b.WriteRune(r)
	}
	return b.String()
}
