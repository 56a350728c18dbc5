package bridge

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// maxSecret bounds a file of secrets, in bytes.
const maxSecret = 64 << 10

// Secret is where a secret is found: in a file, which is read at each use, so that a
// secret can be replaced while the command runs; or as the text of a variable. It is
// never an argument, since other users can read command lines.
type Secret struct {
	// File is a path; Text is what a variable holds. At most one is set.
	File, Text string
	// Name is what errors call it: the flag or the variable.
	Name string
}

// IsZero reports whether there is none.
func (s Secret) IsZero() bool { return s.File == "" && s.Text == "" }

// Lines returns the lines that are not empty, without white space at their ends. No
// content is in an error. A file without such a line is an error.
func (s Secret) Lines() ([]string, error) {
	text, err := s.read()
	if err != nil {
		return nil, err
	}
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return nil, fmt.Errorf("%s: there is nothing in it", s.Name)
	}
	return lines, nil
}

// Word returns the secret where it is one line.
func (s Secret) Word() (string, error) {
	lines, err := s.Lines()
	if err != nil {
		return "", err
	}
	if len(lines) > 1 {
		return "", fmt.Errorf("%s: must be one line", s.Name)
	}
	return lines[0], nil
}

func (s Secret) read() (string, error) {
	if s.File == "" {
		return s.Text, nil
	}
	f, err := os.Open(s.File)
	if err != nil {
		return "", fmt.Errorf("%s: %w", s.Name, err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return "", fmt.Errorf("%s: %w", s.Name, err)
	}
	if len(text) > maxSecret {
		return "", fmt.Errorf("%s: %s has more than %d bytes", s.Name, s.File, maxSecret)
	}
	return string(text), nil
}
