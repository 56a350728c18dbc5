package rawjson_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/replhub/replhub/hub/internal/event/rawjson"
)

func TestValueEnd(t *testing.T) {
	for _, value := range []string{
		`{}`, `[]`, `{"a":[{"b":"]}\""}]}`, `[[],[{}],"[",2]`, `""`, `"a"`, `"\\"`, `"\""`, `"}]"`, `1`, `-0.5e+10`, `true`, `null`,
	} {
		for _, behind := range []string{``, `,1`, ` , {}`, `]`, `}`, "\n]"} {
			if got := rawjson.ValueEnd([]byte(value + behind)); got != len(value) {
				t.Errorf("%s before %q ends at %d, want %d", value, behind, got, len(value))
			}
		}
	}
}

// FuzzValueEnd holds the end of a value against encoding/json, and sees to it
// that no text takes it out of its bounds.
func FuzzValueEnd(f *testing.F) {
	f.Add([]byte(`{"a":["]"]}`), []byte(`,1]`))
	f.Fuzz(func(t *testing.T, value, behind []byte) {
		if got := rawjson.ValueEnd(value); got < 0 || got > len(value) {
			t.Fatalf("%q ends at %d", value, got)
		}
		value = bytes.TrimLeft(value, " \t\r\n")
		trimmed := bytes.TrimRight(value, " \t\r\n")
		if !json.Valid(value) || len(behind) > 0 && !strings.ContainsRune(",]} \n", rune(behind[0])) {
			return
		}
		if got := rawjson.ValueEnd(append(bytes.Clone(trimmed), behind...)); got != len(trimmed) {
			t.Fatalf("%q before %q ends at %d, want %d", trimmed, behind, got, len(trimmed))
		}
	})
}
