//go:build !linux

package child

import (
	"syscall"
	"time"
)

// Attributes are none here: only Linux kills children with their parent.
func Attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }

// awaitStop gives the signal the time that it needs: what Linux tells about it
// is not to be had here.
func awaitStop(int) error {
	<-time.After(100 * time.Millisecond)
	return nil
}
