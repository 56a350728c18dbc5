package subjects

import (
	"fmt"
	"strconv"

	"github.com/replhub/replhub/internal/contract"
)

// MaxName is the longest name, in bytes.
const MaxName = 63

// Name is an entity's or a service's name: ^[a-z0-9][a-z0-9_-]{0,62}$. Names
// are comparable; the zero Name is no name.
type Name struct{ s string }

// ParseName parses a name. Its error is a *NameError. The Name shares s's
// memory.
func ParseName(s string) (Name, error) {
	if !isName(s) {
		return Name{}, &NameError{Value: s, Problem: nameProblem(s)}
	}
	return Name{s}, nil
}

// String is the name as it was parsed; empty for the zero Name.
func (n Name) String() string { return n.s }

// IsZero reports whether n is no name.
func (n Name) IsZero() bool { return n.s == "" }

// NameError refuses a name.
type NameError struct {
	// Value is the whole text that was refused, as it came.
	Value string
	// Problem is what is wrong with it, in words.
	Problem string
}

// Error implements error. The value is quoted, escaped and cut short, so that
// it is safe in a log line, a header and a terminal.
func (e *NameError) Error() string {
	return fmt.Sprintf("name %s: %s", contract.Quote(e.Value), e.Problem)
}

func isName(s string) bool {
	if len(s) == 0 || len(s) > MaxName || !startsName(s[0]) {
		return false
	}
	for i := 1; i < len(s); i++ {
		if !inName(s[i]) {
			return false
		}
	}
	return true
}

func startsName(c byte) bool { return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' }

func inName(c byte) bool { return startsName(c) || c == '_' || c == '-' }

// nameProblem says why s is no name.
func nameProblem(s string) string {
	const allowed = "a name is made of a-z, 0-9, _ and -"
	if s == "" {
		return "is empty; " + allowed
	}
	if len(s) > MaxName {
		return fmt.Sprintf("is %d bytes long; a name has at most %d", len(s), MaxName)
	}
	for i, r := range s {
		if r >= 0x80 || !inName(byte(r)) {
			return fmt.Sprintf("has %s at byte %d; %s", strconv.QuoteRuneToASCII(r), i, allowed)
		}
	}
	return "starts with " + strconv.QuoteRuneToASCII(rune(s[0])) + "; a name starts with a letter or a digit"
}
