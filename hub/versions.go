package hub

import (
	"context"

	"github.com/replhub/replhub/hub/internal/servers"
)

// checkVersions refuses servers that are too old, and reports whether all have fast
// ingest. A server of the cluster that does not say its version now counts as one
// without: the hub then uses atomic batches, which every server takes.
func (h *Hub) checkVersions(ctx context.Context) (fast bool, err error) {
	version := h.nc.ConnectedServerVersion()
	if err := servers.RefuseOld(version); err != nil {
		return false, err
	}
	v, err := servers.Parse(version)
	if err != nil {
		return false, err
	}
	fast = !v.Before(servers.FastMinor)
	if h.nc.ConnectedClusterName() == "" {
		return fast, nil
	}
	for _, text := range servers.Greetings(ctx, h.nc.Servers()) {
		v, err := servers.Parse(text)
		if err != nil {
			fast = false
			continue
		}
		if v.Before(servers.OldestMinor) {
			return false, servers.RefuseOld(text)
		}
		fast = fast && !v.Before(servers.FastMinor)
	}
	return fast, nil
}

// mixedVersions reports whether servers of the cluster are known to have different versions,
// patches left out.
func (h *Hub) mixedVersions(ctx context.Context) bool {
	known := make(map[servers.Version]bool)
	for _, text := range append(servers.Greetings(ctx, h.nc.Servers()), h.nc.ConnectedServerVersion()) {
		if v, err := servers.Parse(text); err == nil {
			known[v] = true
		}
	}
	return len(known) > 1
}
