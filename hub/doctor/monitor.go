package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/replhub/replhub/internal/contract"
)

// monitorFact is what a server's monitoring says (/varz).
type monitorFact struct {
	url   string
	err   error
	clock clock

	Name      string    `json:"server_name"`
	Now       time.Time `json:"now"`
	JetStream struct {
		Config *struct {
			MaxStorage   int64         `json:"max_storage"`
			StoreDir     string        `json:"store_dir"`
			SyncInterval time.Duration `json:"sync_interval"`
			SyncAlways   bool          `json:"sync_always"`
		} `json:"config"`
		Stats struct {
			Store    uint64 `json:"storage"`
			Reserved uint64 `json:"reserved_storage"`
		} `json:"stats"`
	} `json:"jetstream"`
}

func readMonitors(ctx context.Context, cfg Config) []monitorFact {
	var all []monitorFact
	for _, url := range cfg.Monitors {
		var one monitorFact
		asked := cfg.Clock()
		status, body, err := get(ctx, cfg, Endpoint{URL: url}, "/varz")
		came := cfg.Clock()
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("it answers with %d", status)
		}
		if err == nil {
			err = json.Unmarshal(body, &one)
		}
		one.url, one.err = url, err
		if err == nil {
			one.clock = clockOf(one.Now, asked, came)
		}
		all = append(all, one)
	}
	return all
}

// judgeDisk judges what the servers' monitoring says of their disks.
func judgeDisk(f *facts, r *Report) {
	g := r.group(GroupDisk)
	if len(f.monitors) == 0 {
		g.unseen("disk.sync", "", "sync_interval and the servers' storage", "name the monitoring address (http_port) of each server with --monitor")
	}
	for i := range f.monitors {
		m := &f.monitors[i]
		if m.err != nil {
			g.fail("disk.monitor", m.url, fmt.Sprintf("the server's monitoring does not answer: %v", m.err), "check the server's http_port")
			continue
		}
		if m.JetStream.Config == nil {
			g.fail("disk.jetstream", m.Name, "JetStream is off on this server", "enable it; if it was on, free space on the disk and restart the server")
			continue
		}
		judgeSync(g, f, m)
		judgeStorage(g, m)
	}
}

// judgeSync says what a power loss may take.
func judgeSync(g group, f *facts, m *monitorFact) {
	c := m.JetStream.Config
	switch {
	case c.SyncAlways:
		g.pass("disk.sync", m.Name, "sync_interval: always; a power loss takes nothing")
	case f.replicas() == 1:
		g.pass("disk.sync", m.Name, fmt.Sprintf("sync_interval: %s, one replica: a power loss of the machine may take the events of that time", c.SyncInterval))
	default:
		g.pass("disk.sync", m.Name, fmt.Sprintf("sync_interval: %s, %d replicas: only a power loss of several machines at once may take events", c.SyncInterval, f.replicas()))
	}
}

func judgeStorage(g group, m *monitorFact) {
	used, limit := max(m.JetStream.Stats.Store, m.JetStream.Stats.Reserved), m.JetStream.Config.MaxStorage
	if limit <= 0 {
		return
	}
	text := fmt.Sprintf("%s of %s are used or reserved (max_file_store)", contract.SizeText(used), contract.SizeText(limit))
	if float64(used) >= nearly*float64(limit) {
		g.warn("disk.storage", m.Name, text, "give the server a larger disk and max_file_store, or lower the max_bytes of streams")
		return
	}
	g.pass("disk.storage", m.Name, text)
}
