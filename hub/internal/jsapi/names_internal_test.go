package jsapi

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

// server is a list of names of which pages are read, as nats-server does it.
type server struct {
	names []string
	limit int
	// before is called before a page is read.
	before func(offset int)
}

func (s *server) read(offset int) (page, error) {
	if s.before != nil {
		s.before(offset)
	}
	from := min(offset, len(s.names))
	to := min(from+s.limit, len(s.names))
	return page{Total: len(s.names), Streams: slices.Clone(s.names[from:to])}, nil
}

func numbered(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("SUB_%04d", i)
	}
	return names
}

func TestCollectReadsEveryPage(t *testing.T) {
	for _, n := range []int{0, 1, 9, 10, 11, 19, 20, 21, 55} {
		s := &server{names: numbered(n), limit: 10}
		got, err := collect(s.read)
		if err != nil || !slices.Equal(got, s.names) {
			t.Errorf("%d names: %v, %v", n, got, err)
		}
	}
}

// A stream that goes between two pages shifts the later ones: none of those that
// were there all the time may be missed.
func TestCollectMissesNothingWhenTheListShifts(t *testing.T) {
	for gone := range 30 {
		s := &server{names: numbered(30), limit: 10}
		reads := 0
		s.before = func(int) {
			if reads++; reads == 2 {
				s.names = slices.Delete(s.names, gone, gone+1)
				s.names = append(s.names, "SUB_new") // the total stays
			}
		}
		got, err := collect(s.read)
		if err != nil {
			t.Fatal(err)
		}
		for i, name := range numbered(30) {
			if i != gone && !slices.Contains(got, name) {
				t.Errorf("%s went between two pages, and the list misses %s", numbered(30)[gone], name)
			}
		}
	}
}

func TestCollectGivesUpWhereTheListNeverStandsStill(t *testing.T) {
	s := &server{names: numbered(200), limit: 10}
	made := 0
	s.before = func(int) {
		made++
		s.names = append(s.names[1:], fmt.Sprintf("SUB_new_%04d", made))
	}
	if got, err := collect(s.read); !errors.Is(err, errShifted) {
		t.Errorf("%d names, %v", len(got), err)
	}
	broken := errors.New("no answer")
	if _, err := collect(func(int) (page, error) { return page{}, broken }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}
