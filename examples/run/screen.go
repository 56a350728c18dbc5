package main

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"sync"
)

// screen shows lines, each with who says it.
type screen struct {
	mu  sync.Mutex // guards out
	out io.Writer
}

func (s *screen) say(who, line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.out, "%-14s %s\n", who, line)
}

// lines shows what one program writes, line by line.
func (s *screen) lines(who string) io.Writer { return &lines{screen: s, who: who} }

type lines struct {
	screen *screen
	who    string
	rest   []byte
}

// Write implements io.Writer; one program's lines come one after the other.
func (l *lines) Write(p []byte) (int, error) {
	l.rest = append(l.rest, p...)
	for {
		line, rest, found := bytes.Cut(l.rest, []byte("\n"))
		if !found {
			return len(p), nil
		}
		l.screen.say(l.who, string(line))
		l.rest = rest
	}
}

// await looks in what a program writes for the first match of a pattern, and
// shows only what goes wrong before it.
func (s *screen) await(who string, pattern *regexp.Regexp) *awaited {
	return &awaited{lines: lines{screen: s, who: who}, pattern: pattern, found: make(chan string, 1)}
}

type awaited struct {
	lines   lines
	pattern *regexp.Regexp
	said    []byte
	done    bool
	found   chan string // gets the match
}

// Write implements io.Writer.
func (a *awaited) Write(p []byte) (int, error) {
	if bytes.HasPrefix(p, []byte("error:")) {
		return a.lines.Write(p)
	}
	if a.done {
		return len(p), nil // what to type next is not for this story
	}
	a.said = append(a.said, p...)
	if match := a.pattern.Find(a.said); match != nil {
		a.done = true
		a.found <- string(match)
	}
	return len(p), nil
}
