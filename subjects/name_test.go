package subjects_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/replhub/replhub/subjects"
)

func TestParseName(t *testing.T) {
	for _, s := range []string{"a", "0", "user", "user_profile", "user-profile", "u--_", "9lives", strings.Repeat("x", 63)} {
		n, err := subjects.ParseName(s)
		if err != nil || n.String() != s || n.IsZero() {
			t.Errorf("ParseName(%q) = %q, %v", s, n, err)
		}
	}
}

func TestParseNameRefuses(t *testing.T) {
	for _, tc := range []struct{ name, s, problem string }{
		{"empty", "", "is empty"},
		{"too long", strings.Repeat("x", 64), "64 bytes long"},
		{"much too long", strings.Repeat("x", 300), "300 bytes long"},
		{"upper case", "User", "'U' at byte 0"},
		{"wildcard", "user.>", "'.' at byte 4"},
		{"star", "*", "'*' at byte 0"},
		{"two tokens", "a.b", "'.' at byte 1"},
		{"blank", "a b", "' ' at byte 1"},
		{"NUL", "a\x00", `'\x00' at byte 1`},
		{"line end", "a\r\nb", `'\r' at byte 1`},
		{"bad UTF-8", "a\xff", `'\ufffd' at byte 1`},
		{"look-alike", "usеr", `'\u0435' at byte 2`},
		{"full-width digit", "１", `'\uff11' at byte 0`},
		{"underscore first", "_state", "starts with '_'"},
		{"dash first", "-a", "starts with '-'"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			n, err := subjects.ParseName(tc.s)
			var nameErr *subjects.NameError
			if !errors.As(err, &nameErr) || !n.IsZero() {
				t.Fatalf("got %q, %v; want a *NameError", n, err)
			}
			if nameErr.Value != tc.s || !strings.Contains(nameErr.Problem, tc.problem) {
				t.Errorf("problem %q, want it to tell %q", nameErr.Problem, tc.problem)
			}
			assertPrintable(t, err.Error())
		})
	}
}

// assertPrintable fails for what could end a line, drive a terminal or flood a
// log.
func assertPrintable(t *testing.T, s string) {
	t.Helper()
	if len(s) > 500 {
		t.Errorf("%d bytes of text", len(s))
	}
	for _, c := range []byte(s) {
		if c < ' ' || c > '~' {
			t.Fatalf("%q holds the byte %#x", s, c)
		}
	}
}
