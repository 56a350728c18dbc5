package main

import "golang.org/x/sys/windows"

// terminalColumns asks the console behind a handle for its width.
func terminalColumns(fd uintptr) (columns int, ok bool) {
	var mode uint32
	if windows.GetConsoleMode(windows.Handle(fd), &mode) != nil {
		return 0, false
	}
	var info windows.ConsoleScreenBufferInfo
	if windows.GetConsoleScreenBufferInfo(windows.Handle(fd), &info) != nil {
		return 0, true // such as a console's input
	}
	return int(info.Window.Right-info.Window.Left) + 1, true
}

// readerGone cannot be asked here; the next write tells.
func readerGone(uintptr) bool { return false }
