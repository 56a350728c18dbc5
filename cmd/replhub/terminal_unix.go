//go:build linux || darwin || freebsd

package main

import "golang.org/x/sys/unix"

// terminalColumns asks the terminal behind a descriptor for its width.
func terminalColumns(fd uintptr) (columns int, ok bool) {
	size, err := unix.IoctlGetWinsize(int(fd), unix.TIOCGWINSZ)
	if err != nil {
		return 0, false
	}
	return int(size.Col), true
}

// readerGone reports whether a pipe or socket has lost its reader. It is asked
// without writing, since a command such as watch may have nothing to write for
// long.
func readerGone(fd uintptr) bool {
	ask := []unix.PollFd{{Fd: int32(fd)}}
	n, err := unix.Poll(ask, 0)
	return err == nil && n > 0 && ask[0].Revents&(unix.POLLERR|unix.POLLHUP) != 0
}
