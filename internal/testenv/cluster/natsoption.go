package cluster

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// NATSOption changes how a nats-server is configured.
type NATSOption func(*natsConfig)

// natsConfig is what options set; the zero value is the server's defaults.
type natsConfig struct {
	syncInterval string
	maxPayload   int
	users        []string
	extra        []string
	jetStream    []string
	storeDir     string
	version      string
	name         string
	leafnodes    bool
	remotes      []leafRemote
	versions     []string
	tags         []string
	ahead        []time.Duration
	clock        time.Duration
}

// NATSSyncAlways has every write synced to disk before it is acknowledged.
func NATSSyncAlways() NATSOption { return NATSSyncInterval("always") }

// NATSSyncInterval sets the time between syncs, in nats-server's notation:
// "always", "10s".
func NATSSyncInterval(interval string) NATSOption {
	return func(c *natsConfig) { c.syncInterval = interval }
}

// NATSMaxPayload sets the largest message in bytes.
func NATSMaxPayload(n int) NATSOption {
	return func(c *natsConfig) { c.maxPayload = n }
}

// NATSUser adds a user, and with the first one shuts out all others.
// Permissions are in nats-server's notation, as in
// `{publish: ["db.user.>"], subscribe: ["_INBOX.>"]}`; empty allows everything.
func NATSUser(name, password, permissions string) NATSOption {
	user := fmt.Sprintf("user: %q, password: %q", name, password)
	if permissions != "" {
		user += ", permissions: " + permissions
	}
	return func(c *natsConfig) { c.users = append(c.users, "{"+user+"}") }
}

// NATSNkey is NATSUser for a user who signs with an nkey, given by its public key.
func NATSNkey(public string) NATSOption {
	return func(c *natsConfig) { c.users = append(c.users, fmt.Sprintf("{nkey: %q}", public)) }
}

// NATSConfig adds text to the top level of the server's configuration.
func NATSConfig(text string) NATSOption {
	return func(c *natsConfig) { c.extra = append(c.extra, text) }
}

// NATSJetStream adds text to the jetstream block of the server's configuration.
func NATSJetStream(text string) NATSOption {
	return func(c *natsConfig) { c.jetStream = append(c.jetStream, text) }
}

// NATSStoreDir keeps the store in a folder of the caller's, such as a small
// file system. It is not removed at the end.
func NATSStoreDir(dir string) NATSOption {
	return func(c *natsConfig) { c.storeDir = dir }
}

// NATSVersion runs another release than the one in go.mod, as in "v2.11.9". It
// is downloaded through the module proxy and built at its first use.
func NATSVersion(version string) NATSOption {
	return func(c *natsConfig) { c.version = version }
}

// NATSVersions is NATSVersion for each node of a cluster, in turn; "" is the release in
// go.mod.
func NATSVersions(versions ...string) NATSOption {
	return func(c *natsConfig) { c.versions = versions }
}

// NATSClocks has the clock of each node of a cluster be ahead by so much, in turn, in whole
// seconds; a negative one is behind.
func NATSClocks(ahead ...time.Duration) NATSOption {
	return func(c *natsConfig) { c.ahead = ahead }
}

// NATSTags gives each node of a cluster a tag, in turn. Placements of streams name tags.
func NATSTags(tags ...string) NATSOption {
	return func(c *natsConfig) { c.tags = tags }
}

// node sets what options say of a cluster's i-th node.
func (c *natsConfig) node(i int) {
	if len(c.versions) > 0 {
		c.version = c.versions[i%len(c.versions)]
	}
	if len(c.ahead) > 0 {
		c.version, c.clock = clocks, c.ahead[i%len(c.ahead)]
	}
	if len(c.tags) > 0 {
		c.extra = append(slices.Clip(c.extra), fmt.Sprintf("server_tags: [%q]", c.tags[i%len(c.tags)]))
	}
}

// text is the server's configuration file.
func (c *natsConfig) text(n *NATS) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("server_name: %q", n.name)
	line("listen: %q", loopback(n.port))
	line("http: %q", loopback(n.httpPort))
	if c.maxPayload > 0 {
		line("max_payload: %d", c.maxPayload)
	}
	line("jetstream {\n  store_dir: %q", n.storeDir)
	if c.syncInterval != "" {
		line("  sync_interval: %s", c.syncInterval)
	}
	for _, text := range c.jetStream {
		line("  %s", text)
	}
	line("}")
	if len(n.routes) > 0 {
		line("cluster {\n  name: e2e\n  listen: %q\n  routes: [%s]\n}", loopback(n.routePort), strings.Join(n.routes, ", "))
	}
	b.WriteString(c.leafnodesText(n))
	if len(c.users) > 0 {
		line("authorization {\n  users: [%s]\n}", strings.Join(c.users, ", "))
	}
	for _, text := range c.extra {
		line("%s", text)
	}
	return b.String()
}
