package record

import "strings"

// maxClipped bounds words of others, in bytes.
const maxClipped = 500

// Clip keeps the words of somebody else fit for a line.
func Clip(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > maxClipped {
		s = strings.ToValidUTF8(s[:maxClipped], "") + " …"
	}
	return s
}
