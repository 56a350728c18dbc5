package zkmap_test

import (
	"errors"
	"path"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/replhub/replhub/internal/tree/treetest"
)

// raw is a plain client, as an operator's zkCli is.
type raw struct {
	t    *testing.T
	conn *zk.Conn
}

func dialRaw(t *testing.T, servers ...string) raw {
	t.Helper()
	conn, events, err := zk.Connect(servers, 10*time.Second, zk.WithLogInfo(false), zk.WithMaxConnBufferSize(8<<20))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		for range events {
		}
	})
	treetest.Until(t, "a raw session", func() bool { return conn.State() == zk.StateHasSession })
	return raw{t, conn}
}

// make creates a znode and the folders above it.
func (r raw) make(znode, value string) {
	r.t.Helper()
	r.makeAs(znode, value, zk.WorldACL(zk.PermAll))
}

func (r raw) makeAs(znode, value string, acl []zk.ACL) {
	r.t.Helper()
	_, err := r.conn.Create(znode, []byte(value), 0, acl)
	if errors.Is(err, zk.ErrNoNode) {
		r.make(path.Dir(znode), "")
		_, err = r.conn.Create(znode, []byte(value), 0, acl)
	}
	if err != nil {
		r.t.Fatalf("create %s: %v", znode, err)
	}
}

func (r raw) set(znode, value string) {
	r.t.Helper()
	if _, err := r.conn.Set(znode, []byte(value), -1); err != nil {
		r.t.Fatalf("set %s: %v", znode, err)
	}
}

// deleteAll deletes a znode and all below it.
func (r raw) deleteAll(znode string) {
	r.t.Helper()
	names, _, err := r.conn.Children(znode)
	if err != nil {
		r.t.Fatalf("list %s: %v", znode, err)
	}
	for _, name := range names {
		r.deleteAll(znode + "/" + name)
	}
	if err := r.conn.Delete(znode, -1); err != nil {
		r.t.Fatalf("delete %s: %v", znode, err)
	}
}
