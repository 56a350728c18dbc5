package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"regexp"
	"sync"
)

// screen shows lines, each with who says it.
type screen struct {
	mu   sync.Mutex // guards out
	out  io.Writer
	gone func() // called when out takes nothing any more
}

func (s *screen) say(who, line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := fmt.Fprintf(s.out, "%-14s %s\n", who, line); err != nil {
		s.gone()
	}
}

// lines shows what one program writes, line by line, and lets an ear hear it, if
// there is one.
func (s *screen) lines(who string, ear *ear) io.Writer { return &lines{screen: s, who: who, ear: ear} }

type lines struct {
	screen *screen
	who    string
	ear    *ear
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
		if l.ear != nil {
			l.ear.hear(line)
		}
		l.rest = rest
	}
}

// ear waits for a number of lines that match a pattern, whichever process writes them.
type ear struct {
	pattern *regexp.Regexp
	heard   chan struct{} // holds as many as are waited for
}

func newEar(pattern string, lines int) *ear {
	return &ear{pattern: regexp.MustCompile(pattern), heard: make(chan struct{}, lines)}
}

func (e *ear) hear(line []byte) {
	if !e.pattern.Match(line) {
		return
	}
	select {
	case e.heard <- struct{}{}:
	default: // nobody waits for more
	}
}

// await returns after the last of the lines, or when ctx ends.
func (e *ear) await(ctx context.Context) {
	for range cap(e.heard) {
		select {
		case <-e.heard:
		case <-ctx.Done():
			return
		}
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
