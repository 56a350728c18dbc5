package view

import "regexp"

// Order matters: what is quoted may hold numbers, a uuid holds hexadecimal digits, and a
// time holds numbers.
var variable = []struct { //nolint:gochecknoglobals // compiled once
	of *regexp.Regexp
	to string
}{
	{regexp.MustCompile(`"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|` + "`[^`]*`"), "‹text›"},
	{regexp.MustCompile(`(?i)\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`), "‹uuid›"},
	{regexp.MustCompile(`\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?`), "‹time›"},
	{regexp.MustCompile(`\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b`), "‹address›"},
	{regexp.MustCompile(`(?i)\b0x[0-9a-f]+\b|\b[0-9a-f]{6,}[a-f][0-9a-f]*\b|\b[0-9a-f]*[a-f][0-9a-f]{6,}\b`), "‹hex›"},
	{regexp.MustCompile(`[+-]?\d+(?:[.,_]\d+)*(?:[eE][+-]?\d+)?`), "‹n›"},
}

// maxPattern bounds an error's pattern, in bytes.
const maxPattern = 300

// Pattern is an error's text without its variable parts: quoted texts, uuids, times,
// addresses, hexadecimal and other numbers. Two errors of one cause have one pattern.
func Pattern(text string) string {
	for _, v := range variable {
		text = v.of.ReplaceAllString(text, v.to)
	}
	return cut(text, maxPattern)
}
