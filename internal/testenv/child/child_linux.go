package child

import (
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// Attributes has the kernel kill a child when who started it dies without
// cleaning up, as it does at go test's timeout.
func Attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

// awaitStop waits until the kernel says that the child has stopped. The signal
// reaches the threads of a process one after the other, on a busy machine
// milliseconds after it was sent. What the child's end says is left to its waiter.
func awaitStop(pid int) error {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WSTOPPED|unix.WEXITED|unix.WNOWAIT, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err == nil, errors.Is(err, unix.ECHILD):
			return nil
		default:
			return fmt.Errorf("wait until process %d has stopped: %w", pid, err)
		}
	}
}
