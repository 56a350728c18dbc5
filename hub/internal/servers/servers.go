// Package servers knows what the hub needs of nats-servers, and asks servers for their
// versions. A stream lies on any servers of a cluster, and its leader takes the appends. So
// the oldest server of a cluster says what the hub may use, and not the one that the hub is
// connected to.
package servers

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// The oldest server with atomic batches, and the oldest with fast ingest.
const (
	OldestMinor = 12
	FastMinor   = 14
)

// greetingTime bounds the wait for what a server says of itself to whoever connects.
const greetingTime = time.Second

// Version is a nats-server's, without its patch.
type Version struct{ Major, Minor int }

// Before reports whether v is older than version 2 with a minor version.
func (v Version) Before(minor int) bool {
	return v.Major < 2 || v.Major == 2 && v.Minor < minor
}

// Parse parses a version such as 2.15.2.
func Parse(text string) (Version, error) {
	parts := strings.SplitN(strings.TrimPrefix(text, "v"), ".", 3)
	if len(parts) < 2 {
		return Version{}, fmt.Errorf("server version %q: not understood", text)
	}
	major, err := strconv.Atoi(parts[0])
	if err != nil {
		return Version{}, fmt.Errorf("server version %q: %w", text, err)
	}
	minor, err := strconv.Atoi(parts[1])
	if err != nil {
		return Version{}, fmt.Errorf("server version %q: %w", text, err)
	}
	return Version{major, minor}, nil
}

// RefuseOld refuses a server that is older than what the hub needs.
func RefuseOld(version string) error {
	v, err := Parse(version)
	if err != nil {
		return err
	}
	if v.Before(OldestMinor) {
		return fmt.Errorf("nats-server %s is too old: replhub needs 2.%d or later (atomic batches); upgrade the server", version, OldestMinor)
	}
	return nil
}

// Greetings are the versions of servers, in their own words; empty for one that does not
// answer.
func Greetings(ctx context.Context, urls []string) []string {
	versions := make([]string, len(urls))
	var group errgroup.Group
	for i, raw := range urls {
		group.Go(func() error {
			version, err := greeting(ctx, raw)
			if err == nil {
				versions[i] = version
			}
			return nil
		})
	}
	_ = group.Wait() // no function returns an error
	return versions
}

// errNoGreeting means that a server is reached in another way than by a plain connection.
var errNoGreeting = errors.New("it does not greet")

// greeting reads the first line that a server sends: INFO, before TLS and before any
// credentials.
func greeting(ctx context.Context, raw string) (version string, err error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", err
	}
	if u.Scheme == "ws" || u.Scheme == "wss" {
		return "", errNoGreeting
	}
	ctx, cancel := context.WithTimeout(ctx, greetingTime)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "4222")))
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetReadDeadline(deadline); err != nil {
			return "", err
		}
	}
	line, err := bufio.NewReader(conn).ReadBytes('\n')
	if err != nil {
		return "", err
	}
	text, ok := strings.CutPrefix(string(line), "INFO ")
	if !ok {
		return "", errNoGreeting
	}
	var info struct {
		Version string `json:"version"`
	}
	err = json.Unmarshal([]byte(text), &info)
	return info.Version, err
}
