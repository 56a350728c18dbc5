package view

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// sentence makes a sentence of a text that stands inside of one elsewhere.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + strings.TrimSuffix(text[size:], ".") + "."
}

// cut shortens a text to a number of bytes, and shows that it did.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
