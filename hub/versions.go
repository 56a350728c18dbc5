package hub

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

// A stream lies on any servers of a cluster, and its leader takes the appends. So the
// oldest server of a cluster says what the hub may use, and not the one that the hub is
// connected to.

// The oldest server with atomic batches, and the oldest with fast ingest.
const (
	oldestMinor = 12
	fastMinor   = 14
)

// greetingTime bounds the wait for what a server says of itself to whoever connects.
const greetingTime = time.Second

// serverVersion is a nats-server's.
type serverVersion struct{ major, minor int }

func (v serverVersion) before(minor int) bool {
	return v.major < 2 || v.major == 2 && v.minor < minor
}

func parseVersion(text string) (serverVersion, error) {
	parts := strings.SplitN(strings.TrimPrefix(text, "v"), ".", 3)
	if len(parts) < 2 {
		return serverVersion{}, fmt.Errorf("server version %q: not understood", text)
	}
	major, err := strconv.Atoi(parts[0])
	if err != nil {
		return serverVersion{}, fmt.Errorf("server version %q: %w", text, err)
	}
	minor, err := strconv.Atoi(parts[1])
	if err != nil {
		return serverVersion{}, fmt.Errorf("server version %q: %w", text, err)
	}
	return serverVersion{major, minor}, nil
}

// refuseOld refuses a server that is older than what the hub needs.
func refuseOld(version string) error {
	v, err := parseVersion(version)
	if err != nil {
		return err
	}
	if v.before(oldestMinor) {
		return fmt.Errorf("nats-server %s is too old: replhub needs 2.%d or later (atomic batches); upgrade the server", version, oldestMinor)
	}
	return nil
}

// checkVersions refuses servers that are too old, and reports whether all have fast
// ingest. A server of the cluster that does not say its version now counts as one
// without: the hub then uses atomic batches, which every server takes.
func (h *Hub) checkVersions(ctx context.Context) (fast bool, err error) {
	version := h.nc.ConnectedServerVersion()
	if err := refuseOld(version); err != nil {
		return false, err
	}
	v, err := parseVersion(version)
	if err != nil {
		return false, err
	}
	fast = !v.before(fastMinor)
	if h.nc.ConnectedClusterName() == "" {
		return fast, nil
	}
	for _, text := range greetings(ctx, h.nc.Servers()) {
		v, err := parseVersion(text)
		if err != nil {
			fast = false
			continue
		}
		if v.before(oldestMinor) {
			return false, refuseOld(text)
		}
		fast = fast && !v.before(fastMinor)
	}
	return fast, nil
}

// mixedVersions reports whether servers of the cluster are known to have different versions,
// patches left out.
func (h *Hub) mixedVersions(ctx context.Context) bool {
	known := make(map[serverVersion]bool)
	for _, text := range append(greetings(ctx, h.nc.Servers()), h.nc.ConnectedServerVersion()) {
		if v, err := parseVersion(text); err == nil {
			known[v] = true
		}
	}
	return len(known) > 1
}

// greetings are the versions of servers, in their own words; empty for one that does not
// answer.
func greetings(ctx context.Context, urls []string) []string {
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
