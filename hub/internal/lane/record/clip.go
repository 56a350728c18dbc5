package record

import "strings"

// maxClipped bounds foreign texts, in bytes.
const maxClipped = 500

// Clip makes a foreign text fit for one line.
func Clip(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > maxClipped {
		s = strings.ToValidUTF8(s[:maxClipped], "") + " …"
	}
	return s
}
