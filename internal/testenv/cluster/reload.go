package cluster

import (
	"os"
	"path/filepath"
	"syscall"

	"github.com/replhub/replhub/internal/testenv/child"
)

// SetUsers has the running server take these users instead of those that it had,
// each given by NATSUser, without a restart. It returns once the server is told:
// it drops those whose password is another now a moment later.
//
// Reloading a server in the test's own process is seen as a data race by the race
// detector: it reads the counters of clients that it drops (2.15.2,
// sendAuthErrorEvent).
func (n *NATS) SetUsers(users ...NATSOption) {
	n.tb.Helper()
	n.cfg.users = nil
	for _, user := range users {
		user(&n.cfg)
	}
	n.reload()
}

// SetConfig has the running server take these texts of its configuration instead of those
// that it had, each given by NATSConfig, without a restart. It returns once the server is
// told.
func (n *NATS) SetConfig(texts ...NATSOption) {
	n.tb.Helper()
	n.cfg.extra = nil
	for _, text := range texts {
		text(&n.cfg)
	}
	n.reload()
}

func (n *NATS) reload() {
	n.tb.Helper()
	config := filepath.Join(n.dir, "nats-server.conf")
	if err := os.WriteFile(config, []byte(n.cfg.text(n)), 0o600); err != nil {
		n.tb.Fatalf("configure nats-server %s: %v", n.name, err)
	}
	n.act("reload", func(p *child.Process) error { return p.Signal(syscall.SIGHUP) })
}
