package zkmap

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/replhub/replhub/internal/tree"
)

func TestTranslate(t *testing.T) {
	reset := &net.OpError{Op: "write", Net: "tcp", Err: syscall.ECONNRESET}
	for _, tt := range []struct{ err, want error }{
		{zk.ErrNoNode, tree.ErrNotFound},
		{zk.ErrBadVersion, tree.ErrConflict},
		{zk.ErrNodeExists, tree.ErrConflict},
		{zk.ErrConnectionClosed, tree.ErrUnavailable},
		{zk.ErrSessionExpired, tree.ErrUnavailable},
		{zk.ErrSessionMoved, tree.ErrUnavailable},
		{reset, tree.ErrUnavailable},
		{io.EOF, tree.ErrUnavailable},
	} {
		got := translate(tt.err)
		if !errors.Is(got, tt.want) || !errors.Is(got, tt.err) {
			t.Errorf("translate(%v) = %v, want %v", tt.err, got, tt.want)
		}
	}
	for _, answer := range []error{zk.ErrNoAuth, zk.ErrNotEmpty, zk.ErrInvalidACL} {
		if got := translate(answer); errors.Is(got, tree.ErrUnavailable) || !errors.Is(got, answer) {
			t.Errorf("translate(%v) = %v: an answer is not an outage", answer, got)
		}
	}
}
