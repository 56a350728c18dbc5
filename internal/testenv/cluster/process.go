package cluster

import (
	"testing"
	"time"

	"github.com/replhub/replhub/internal/testenv/child"
)

// stopTimeout bounds how long a process may take to end after SIGTERM.
const stopTimeout = 30 * time.Second

// terminate ends a server in good order.
func terminate(p *child.Process) error { return p.Terminate(stopTimeout) }

// maxShownLog bounds, in bytes, what a failed test prints of a server's log.
const maxShownLog = 32 << 10

// showLog prints the end of a server's log if the test failed.
func showLog(tb testing.TB, name, path string) {
	if !tb.Failed() {
		return
	}
	tb.Logf("log of %s:\n%s", name, child.Tail(path, maxShownLog))
}
