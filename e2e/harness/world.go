package harness

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/internal/testenv/cluster"
)

// Registries.
const (
	ZooKeeper = "zk"
	KeyValue  = "kv"
)

// Options are what a world is made of. Binary has no default.
type Options struct {
	// Binary is the hub's path.
	Binary string
	// Registry is KeyValue (the default) or ZooKeeper.
	Registry string
	// Seed of all that is chosen at random; 1 by default.
	Seed uint64
	// NATS are options of the nats-server.
	NATS []cluster.NATSOption
	// ZooKeeper are options of ZooKeeper.
	ZooKeeper []cluster.ZooKeeperOption
	// Env are variables of every hub, without their prefix: "HISTORY=1s".
	Env []string
}

// World is one scenario's servers, hubs, publishers and registrations.
type World struct {
	tb   testing.TB
	opts Options
	// Rand is seeded; it belongs to the test's goroutine.
	Rand *rand.Rand
	NATS *cluster.NATS
	// ZooKeeper is nil where the registry is a bucket.
	ZooKeeper *cluster.ZooKeeper
	NC        *nats.Conn
	JS        jetstream.JetStream

	history  history
	services map[string]*service
	streams  map[string]*Recording
	foreign  map[string]bool // "<stream>/<sequence>"
	given    map[string]*given
	began    time.Time
}

// New starts servers for a test. No hub runs yet.
func New(tb testing.TB, opts Options) *World {
	tb.Helper()
	if opts.Registry == "" {
		opts.Registry = KeyValue
	}
	if opts.Seed == 0 {
		opts.Seed = 1
	}
	w := &World{
		tb: tb, opts: opts, Rand: rand.New(rand.NewPCG(opts.Seed, opts.Seed)), began: time.Now(),
		services: make(map[string]*service), streams: make(map[string]*Recording),
		foreign: make(map[string]bool), given: make(map[string]*given),
	}
	w.NATS = cluster.StartNATS(tb, opts.NATS...)
	if opts.Registry == ZooKeeper {
		w.ZooKeeper = cluster.StartZooKeeper(tb, opts.ZooKeeper...)
	}
	w.NC = w.Connect()
	var err error
	if w.JS, err = jetstream.New(w.NC); err != nil {
		tb.Fatalf("open JetStream: %v", err)
	}
	return w
}

// Connect makes another connection, closed when the test ends.
func (w *World) Connect() *nats.Conn {
	w.tb.Helper()
	nc, err := connect(w.NATS.URL())
	if err != nil {
		w.tb.Fatalf("connect to NATS: %v", err)
	}
	w.tb.Cleanup(nc.Close)
	return nc
}

// pollEvery is the time between two looks at a condition.
const pollEvery = 10 * time.Millisecond

// Eventually waits for a condition and fails the test when it does not come.
func (w *World) Eventually(what string, within time.Duration, check func() error) {
	w.tb.Helper()
	deadline := time.Now().Add(within)
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			w.tb.Fatalf("waited %s in vain for %s: %v", within, what, err)
		}
		<-tick.C
	}
}

// Let lets the world go on for a time: a fault has to last.
func (w *World) Let(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	<-timer.C
}
