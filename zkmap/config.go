package zkmap

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/replhub/replhub/internal/tree/mirror"
)

// Config says which tree to mirror and how. Servers and Records are required; every
// other field's zero value means its default.
type Config struct {
	// Servers are the ensemble's addresses, "host:port"; without a port, 2181.
	// Names are resolved at each dial.
	Servers []string
	// Root is the znode above all records. Default: "/replhub".
	Root string
	// Records says which paths below Root are records, as patterns in which *
	// stands for one segment: "entities/*/*". What leads to a record is a
	// folder; everything else is left out with an alarm.
	Records []string
	// Folders are created when they are missing, empty and persistent, along
	// with Root. Default: none.
	Folders []string
	// SessionTimeout is how long ZooKeeper keeps our members after we fell
	// silent; the server may change it within its own bounds. Default: 10s.
	SessionTimeout time.Duration
	// CallTimeout bounds each Get, Put and Delete besides its context.
	// Default: 5s.
	CallTimeout time.Duration
	// Resync is the time between two complete readings, which find what no
	// watch reported. Default: 1m.
	Resync time.Duration
	// MaxValue bounds a record's value, in bytes: larger ones are refused when
	// written and left out when read. Default: 256 KiB.
	MaxValue int
	// MaxReply bounds one reply of the server, in bytes: a big listing, or a
	// znode that does not belong here. Default: 64 MiB.
	MaxReply int
	// AuthFile holds "user:password" for digest authentication and is read at
	// each dial. With it, all that the map creates belongs to that user alone;
	// without, to anyone. Default: none.
	AuthFile string
	// TLS encrypts connections; an empty ServerName is the dialled host.
	// Default: none.
	TLS *tls.Config
	// RootCAs gives the authorities in place of those of TLS, and is called at each
	// dial, because authorities are renewed too. Default: those of TLS.
	RootCAs func() (*x509.CertPool, error)
	// Logger gets the messages for operators. Default: discards.
	Logger *slog.Logger
}

// withDefaults returns the configuration with its defaults filled in.
func (c Config) withDefaults() Config {
	c.Root = cmp.Or(c.Root, "/replhub")
	c.SessionTimeout = cmp.Or(c.SessionTimeout, 10*time.Second)
	c.CallTimeout = cmp.Or(c.CallTimeout, 5*time.Second)
	c.Resync = cmp.Or(c.Resync, time.Minute)
	c.MaxValue = cmp.Or(c.MaxValue, 256<<10)
	c.MaxReply = cmp.Or(c.MaxReply, 64<<20)
	c.Logger = cmp.Or(c.Logger, slog.New(slog.DiscardHandler))
	c.Servers = zk.FormatServers(c.Servers)
	return c
}

// layout validates the configuration, naming the field, and returns what
// Records says.
func (c Config) layout() (mirror.Layout, error) {
	none := mirror.Layout{}
	if len(c.Servers) == 0 {
		return none, errors.New("config: Servers: at least one is needed")
	}
	for _, s := range c.Servers {
		if strings.Contains(s, "@") { // it would show in each message about this server
			return none, errors.New("config: Servers: an address has an @: must be host:port; user and password are for AuthFile")
		}
		if host, port, err := net.SplitHostPort(s); err != nil || host == "" || port == "" {
			return none, fmt.Errorf("config: Servers %q: must be host:port", s)
		}
	}
	if !validRoot(c.Root) {
		return none, fmt.Errorf("config: Root %q: must be /name or /name/name, each of [a-zA-Z0-9_-]+", c.Root)
	}
	for field, d := range map[string]time.Duration{
		"SessionTimeout": c.SessionTimeout, "CallTimeout": c.CallTimeout, "Resync": c.Resync,
	} {
		if d < time.Millisecond {
			return none, fmt.Errorf("config: %s %v: must be at least 1ms", field, d)
		}
	}
	if c.MaxValue < 0 {
		return none, fmt.Errorf("config: MaxValue %d: must be positive", c.MaxValue)
	}
	if c.MaxReply <= c.MaxValue {
		return none, fmt.Errorf("config: MaxReply %d: must be above MaxValue %d", c.MaxReply, c.MaxValue)
	}
	layout, err := mirror.NewLayout(c.Records, c.MaxValue)
	if err != nil {
		return none, fmt.Errorf("config: Records: %w", err)
	}
	for _, f := range c.Folders {
		if f == "" || layout.Kind(f) != mirror.Folder {
			return none, fmt.Errorf("config: Folders %q: leads to no record", f)
		}
	}
	if _, err := c.credentials(); err != nil {
		return none, err
	}
	return layout, nil
}

func validRoot(root string) bool {
	names, ok := strings.CutPrefix(root, "/")
	if !ok {
		return false
	}
	for name := range strings.SplitSeq(names, "/") {
		if !mirror.ValidSegment(name) {
			return false
		}
	}
	return true
}

// credentials reads AuthFile; nil without one. Its content is in no error.
func (c Config) credentials() ([]byte, error) {
	if c.AuthFile == "" {
		return nil, nil
	}
	raw, err := os.ReadFile(c.AuthFile)
	if err != nil {
		return nil, fmt.Errorf("config: AuthFile: %w", err)
	}
	raw = bytes.TrimSpace(raw)
	if user, password, ok := bytes.Cut(raw, []byte(":")); !ok || len(user) == 0 || len(password) == 0 {
		return nil, fmt.Errorf("config: AuthFile %q: must hold user:password", c.AuthFile)
	}
	return raw, nil
}

// acl is what the map puts on all that it creates.
func (c Config) acl() []zk.ACL {
	if c.AuthFile != "" {
		return zk.AuthACL(zk.PermAll)
	}
	return zk.WorldACL(zk.PermAll)
}

// znode is the full path of a record or folder.
func (c Config) znode(path string) string {
	if path == "" {
		return c.Root
	}
	return c.Root + "/" + path
}

// relative is the path below Root of a znode; ok is false outside of it.
func (c Config) relative(znode string) (path string, ok bool) {
	if znode == c.Root {
		return "", true
	}
	return strings.CutPrefix(znode, c.Root+"/")
}
