package doctor

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"
)

// ZooKeeper is a registry in ZooKeeper, as a hub is configured.
type ZooKeeper struct {
	Servers []string
	Root    string
	// Auth is "user:password" of digest authentication; empty for none.
	Auth string
	// TLS encrypts connections; nil for none.
	TLS *tls.Config
}

// zookeeperFact is what was read of the registry.
type zookeeperFact struct {
	servers []zookeeperServer
	// err is why the registry cannot be read; missing says that the root does not exist.
	err     error
	missing bool
	acl     []zk.ACL
	// hubs are the members below the root.
	hubs []string
}

// zookeeperServer is what one server says of itself ("srvr"), which a server does
// unless it is told not to.
type zookeeperServer struct {
	addr, mode string
	err        error
}

// errSilent means that a server is up and does not answer "srvr".
var errSilent = errors.New("it does not say what it is (4lw.commands.whitelist without srvr, or not serving)")

func readZooKeeper(ctx context.Context, cfg Config) *zookeeperFact {
	z := cfg.ZooKeeper
	if z == nil {
		return nil
	}
	f := &zookeeperFact{}
	for _, addr := range zk.FormatServers(z.Servers) {
		mode, err := z.mode(ctx, addr, cfg.Timeout)
		f.servers = append(f.servers, zookeeperServer{addr, mode, err})
	}
	f.read(ctx, z, cfg.Timeout)
	return f
}

func (z *ZooKeeper) dial(network, addr string, timeout time.Duration) (net.Conn, error) {
	d := &net.Dialer{Timeout: timeout}
	if z.TLS == nil {
		return d.Dial(network, addr)
	}
	return (&tls.Dialer{NetDialer: d, Config: z.TLS}).Dial(network, addr)
}

// mode asks a server whether it leads, follows or stands alone.
func (z *ZooKeeper) mode(ctx context.Context, addr string, timeout time.Duration) (string, error) {
	conn, err := z.dial("tcp", addr, timeout)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }() // only read
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	if err := conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		return "", err
	}
	if _, err := conn.Write([]byte("srvr")); err != nil {
		return "", err
	}
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		if mode, ok := strings.CutPrefix(lines.Text(), "Mode: "); ok {
			return mode, nil
		}
	}
	return "", errSilent
}

// read reads the root, its permissions and the hubs below it. It creates nothing.
func (f *zookeeperFact) read(ctx context.Context, z *ZooKeeper, timeout time.Duration) {
	conn, events, err := zk.Connect(z.Servers, 2*timeout, zk.WithLogInfo(false), zk.WithLogger(quiet{}),
		zk.WithDialer(func(network, address string, _ time.Duration) (net.Conn, error) {
			return z.dial(network, address, timeout)
		}))
	if err != nil {
		f.err = err
		return
	}
	defer conn.Close()
	if f.err = await(ctx, events, timeout); f.err != nil {
		return
	}
	if z.Auth != "" {
		if f.err = conn.AddAuth("digest", []byte(z.Auth)); f.err != nil {
			return
		}
	}
	exists, _, err := conn.Exists(z.Root)
	if err != nil || !exists {
		f.err, f.missing = err, err == nil
		return
	}
	if f.acl, _, f.err = conn.GetACL(z.Root); f.err != nil {
		return
	}
	_, _, f.err = conn.Children(z.Root)
	if f.err != nil {
		return
	}
	if f.hubs, _, err = conn.Children(z.Root + "/hubs"); errors.Is(err, zk.ErrNoNode) {
		err = nil
	}
	f.err = err
}

// await waits for a session.
func await(ctx context.Context, events <-chan zk.Event, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for {
		select {
		case e := <-events:
			if e.State == zk.StateHasSession {
				return nil
			}
		case <-ctx.Done():
			return fmt.Errorf("no session within %s", timeout)
		}
	}
}

// quiet drops the client library's log.
type quiet struct{}

// Printf implements zk.Logger.
func (quiet) Printf(string, ...any) {}
