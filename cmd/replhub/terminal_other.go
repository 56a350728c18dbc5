//go:build !linux && !darwin && !freebsd && !windows

package main

// terminalColumns knows no terminal here.
func terminalColumns(uintptr) (columns int, ok bool) { return 0, false }

// readerGone cannot be asked here; the next write tells.
func readerGone(uintptr) bool { return false }
