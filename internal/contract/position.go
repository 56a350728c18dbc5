package contract

import (
	"fmt"
	"strconv"
	"strings"
)

// ParsePosition reads the value of HeaderPosition, "<epoch>-<seq>".
func ParsePosition(s string) (epoch, seq uint64, err error) {
	before, after, found := strings.Cut(s, "-")
	if !found {
		return 0, 0, fmt.Errorf("position %q: no \"<epoch>-<seq>\"", s)
	}
	if epoch, err = strconv.ParseUint(before, 10, 64); err == nil {
		seq, err = strconv.ParseUint(after, 10, 64)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("position %q: %w", s, err)
	}
	return epoch, seq, nil
}
