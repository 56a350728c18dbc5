package doctor

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/servers"
)

// judgeServer judges the connection and the versions of the servers.
func judgeServer(f *facts, r *Report) {
	g := r.group(GroupServer)
	if f.cfg.Conn == nil {
		g.fail("server.reachable", "", fmt.Sprintf("NATS cannot be reached: %v", f.cfg.NoConn), "start nats-server, or say where it is with --server or NATS_URL")
		return
	}
	g.pass("server.reachable", f.server, "NATS answers")
	judgeVersion(g, f.server, f.version)
	known := map[servers.Version]bool{}
	for _, url := range slices.Sorted(maps.Keys(f.versions)) {
		text := f.versions[url]
		v, err := servers.Parse(text)
		if err != nil {
			g.unseen("server.version", url, "this server of the cluster does not say its version now", "check that it runs, and that this machine reaches it")
			continue
		}
		known[v] = true
		if text != f.version {
			judgeVersion(g, url, text)
		}
	}
	if len(known) > 1 {
		g.warn("server.versions", "", "the servers of the cluster have different versions: "+strings.Join(slices.Sorted(maps.Values(f.versions)), ", "),
			"complete the upgrade; until then change no replicas and no placement")
	}
	switch {
	case f.accountErr == nil:
		g.pass("server.jetstream", "", "JetStream is on")
	case errors.Is(f.accountErr, errDenied):
		g.unseen("server.jetstream", "", "JetStream's account: "+f.accountErr.Error(), "use the hub's credentials")
	case noJetStream(f.accountErr):
		g.fail("server.jetstream", "", "the account has no JetStream", "start nats-server with -js, or enable JetStream for the account; services in an account of their own use --js-domain")
	default:
		g.fail("server.jetstream", "", fmt.Sprintf("JetStream does not answer: %v", f.accountErr), "look at the server's log; on a cluster, check that a majority of the servers runs")
	}
}

func judgeVersion(g group, about, version string) {
	v, err := servers.Parse(version)
	switch {
	case err != nil:
		g.unseen("server.version", about, err.Error(), "")
	case v.Before(servers.OldestMinor):
		g.fail("server.version", about, fmt.Sprintf("nats-server %s is too old: a hub refuses it", version), fmt.Sprintf("upgrade it to 2.%d or later", servers.OldestMinor))
	case v.Before(servers.FastMinor):
		g.pass("server.version", about, fmt.Sprintf("nats-server %s; fast ingest needs 2.%d", version, servers.FastMinor))
	default:
		g.pass("server.version", about, "nats-server "+version)
	}
}

// noJetStream reports whether an error says that the account or the server has none.
func noJetStream(err error) bool {
	api, ok := errors.AsType[*jetstream.APIError](err)
	return ok && (api.ErrorCode == jetstream.JSErrCodeJetStreamNotEnabled || api.ErrorCode == jetstream.JSErrCodeJetStreamNotEnabledForAccount) ||
		err != nil && strings.Contains(err.Error(), "no responders")
}
