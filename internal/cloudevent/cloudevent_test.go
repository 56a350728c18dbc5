package cloudevent

import (
	"strings"
	"testing"
)

func TestContentType(t *testing.T) {
	for _, tt := range []struct{ given, data, want string }{
		{"application/vnd.x+json; charset=utf-8", "{}", "application/vnd.x+json; charset=utf-8"},
		{"", "{}", "application/json"},
		{"", "<a/>", "application/octet-stream"},
		{"no type\r\nX-Evil: 1", "{}", "application/json"},
		{"text/\x01", "x", "application/octet-stream"},
		{"text/plain;\tcharset=utf-8", "x", "text/plain; charset=utf-8"},
	} {
		if got := ContentType(tt.given, []byte(tt.data)); got != tt.want {
			t.Errorf("%q of %q: %q", tt.given, tt.data, got)
		}
	}
}

func FuzzEncodeValue(f *testing.F) {
	f.Add("naïve 4%")
	f.Fuzz(func(t *testing.T, value string) {
		got := EncodeValue(value)
		if !Sendable(got) || strings.ContainsAny(got, " \"") {
			t.Errorf("%q", got)
		}
		var back []byte
		for i := 0; i < len(got); i++ {
			if got[i] != '%' {
				back = append(back, got[i])
				continue
			}
			back = append(back, unhex(got[i+1])<<4|unhex(got[i+2]))
			i += 2
		}
		if string(back) != value {
			t.Errorf("%q came back as %q", value, back)
		}
	})
}

func unhex(c byte) byte { return byte(strings.IndexByte("0123456789ABCDEF", c)) }
