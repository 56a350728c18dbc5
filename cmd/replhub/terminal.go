package main

import "os"

// isTerminal reports whether a person is at the other end of a stream. A
// character device alone is not enough: /dev/null is one, too.
func isTerminal(stream any) bool {
	_, ok := windowOf(stream)
	return ok
}

// windowOf is how many columns the terminal of a stream has, 0 where that cannot
// be told; ok is false when the stream is no terminal.
func windowOf(stream any) (columns int, ok bool) {
	if o, wrapped := stream.(*output); wrapped {
		stream = o.Writer
	}
	f, ok := stream.(*os.File)
	if !ok {
		return 0, false
	}
	return terminalColumns(f.Fd())
}
