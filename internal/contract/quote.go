package contract

import "strconv"

// maxQuoted bounds the bytes of a value that a message shows.
const maxQuoted = 80

// Quote makes a refused value safe to show: ASCII only, everything else escaped, and at
// most 80 bytes of it.
func Quote(s string) string {
	if len(s) > maxQuoted {
		return strconv.QuoteToASCII(s[:maxQuoted]) + "..."
	}
	return strconv.QuoteToASCII(s)
}
