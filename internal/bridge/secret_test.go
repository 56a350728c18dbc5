package bridge_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/replhub/replhub/internal/bridge"
)

// A file is read at each use: what it holds by then counts. No content is in an error.
func TestSecretIsReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := bridge.Secret{File: path, Name: "--secret-file"}
	if _, err := s.Word(); err == nil || !strings.Contains(err.Error(), "--secret-file") {
		t.Errorf("%v of a file that is not there", err)
	}
	write("first\n")
	if got, err := s.Word(); got != "first" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	write(" second \n\n\tthird\n")
	if got, err := s.Lines(); !slices.Equal(got, []string{"second", "third"}) || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := s.Word(); err == nil || strings.Contains(err.Error(), "second") {
		t.Errorf("%v of two lines", err)
	}
	write("\n \n")
	if _, err := s.Lines(); err == nil {
		t.Error("an empty file is a secret")
	}
	write(strings.Repeat("x", 1<<17))
	if _, err := s.Lines(); err == nil || len(err.Error()) > 200 {
		t.Errorf("%v of a file that is too large", err)
	}
	if got, err := (bridge.Secret{Text: "of the environment", Name: "X"}).Word(); got != "of the environment" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

func TestOneLine(t *testing.T) {
	for text, want := range map[string]string{
		"":                      "",
		"plain":                 "plain",
		" a\r\n\tb  ":           "a b",
		"bell \x07 \x1b[31mred": "bell \ufffd \ufffd[31mred",
		"broken \xff":           "broken \ufffd",
	} {
		if got := bridge.OneLine(text, 40); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if got := bridge.OneLine("0123456789abcdefgh", 16); got != "0123456789abcde…" {
		t.Errorf("%q", got)
	}
	if got := bridge.OneLine(strings.Repeat("é", 100), 16); len(got) > 16+len("…") || !utf8.ValidString(got) {
		t.Errorf("%q", got)
	}
}
