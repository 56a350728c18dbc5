package script

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Args are the words of an input behind its verb: plain words, and name=value.
type Args struct {
	Words  []string
	values map[string]string
	t      *testing.T
}

// Parse sorts the words of an input. A value of the wrong kind fails the test when it is
// asked for.
func Parse(t *testing.T, words []string) Args {
	a := Args{t: t, values: make(map[string]string)}
	for _, word := range words {
		if name, value, ok := strings.Cut(word, "="); ok {
			a.values[name] = value
		} else {
			a.Words = append(a.Words, word)
		}
	}
	return a
}

// Has reports whether there is a plain word.
func (a Args) Has(word string) bool { return slices.Contains(a.Words, word) }

// Text is a value, or otherwise where the input does not have it.
func (a Args) Text(name, otherwise string) string {
	if value, ok := a.values[name]; ok {
		return value
	}
	return otherwise
}

// Number is a value as a number.
func (a Args) Number(name string, otherwise int) int {
	value, ok := a.values[name]
	if !ok {
		return otherwise
	}
	return a.number(value)
}

// Duration is a value as a duration.
func (a Args) Duration(name string, otherwise time.Duration) time.Duration {
	value, ok := a.values[name]
	if !ok {
		return otherwise
	}
	d, err := time.ParseDuration(value)
	if err != nil {
		a.t.Fatal(name, err)
	}
	return d
}

// Numbers are the plain words as numbers.
func (a Args) Numbers() (list []int) {
	for _, word := range a.Words {
		list = append(list, a.number(word))
	}
	return list
}

func (a Args) number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		a.t.Fatal(err)
	}
	return n
}
