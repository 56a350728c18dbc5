package main

import (
	"fmt"
	"io"
)

// progressLine shows how far a verb is, on standard error: on a terminal on one line that
// is written over, elsewhere not at all. With --json it shows nothing.
type progressLine struct {
	app  *app
	open bool
}

func (p *progressLine) show(text string) {
	if p.app.json || !p.app.isTerminal(p.app.errOut) {
		return
	}
	p.open = true
	fmt.Fprint(p.app.errOut, overwriteLine+printable(text))
}

// leave clears the line.
func (p *progressLine) leave() {
	if p.open {
		p.open = false
		fmt.Fprint(p.app.errOut, overwriteLine)
	}
}

// lines prints lines until one cannot be printed.
type lines struct {
	w   io.Writer
	err error
}

func (l *lines) printf(format string, args ...any) {
	if l.err == nil {
		_, l.err = fmt.Fprintf(l.w, format+"\n", args...)
	}
}
