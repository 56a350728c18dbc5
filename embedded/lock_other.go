//go:build !unix

package embedded

import "os"

// lockFile opens path. There is no flock here, so a second server on the
// folder is not noticed.
func lockFile(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
}
