//go:build long

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/child"
	"github.com/replhub/replhub/internal/testenv/cluster"
)

const (
	nineServices = 20
	nineWriters  = 8
)

// nine are three nats-servers, three ZooKeepers and three hubs.
type nine struct {
	t       *testing.T
	servers *cluster.NATSCluster
	zk      *cluster.Ensemble
	hubs    []*nineHub
	nc      *nats.Conn
	js      jetstream.JetStream
	acked   atomic.Int64
	kills   [3]int
}

// nineHub is a hub process.
type nineHub struct {
	t       *testing.T
	env     []string
	log     string
	process *child.Process
}

func (h *nineHub) start() {
	h.t.Helper()
	cmd := exec.Command(binary, "serve")
	cmd.Env = h.env
	var err error
	if h.process, err = child.Start(cmd, h.log); err != nil {
		h.t.Fatal(err)
	}
}

// TestAnyOfNineIsKilled kills one process of three nats-servers, three ZooKeepers and three
// hubs at a time, at random, while 20 services are replicated to. Every lane has every event
// once, in order. NINETIME is how long ("10m"), NINESEED the seed.
func TestAnyOfNineIsKilled(t *testing.T) {
	lasts, err := time.ParseDuration(envOr("NINETIME", "1m"))
	if err != nil {
		t.Fatal(err)
	}
	seed, err := strconv.ParseUint(envOr("NINESEED", "1"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	n := startNine(t)
	for i := range nineServices {
		n.register(fmt.Sprintf("s%d", i))
	}
	stop := n.write()
	began := time.Now()
	for r := rand.New(rand.NewPCG(seed, 9)); time.Since(began) < lasts; {
		n.kill(r)
	}
	took := time.Since(began)
	healed := time.Now()
	events := stop()
	for i := range nineServices {
		n.drained(fmt.Sprintf("s%d", i), events)
	}
	drained := time.Since(healed)
	for i := range nineServices {
		n.judge(fmt.Sprintf("s%d", i), events)
	}
	t.Logf("ROW any of nine killed: seed %d, %s, %d nats-servers, %d ZooKeepers and %d hubs killed; %d services, %d events acknowledged, %.0f a second; 0 lost, 0 repeated, 0 out of order; %s from the last fault to the last copy",
		seed, took.Round(time.Second), n.kills[0], n.kills[1], n.kills[2], nineServices, events, float64(events)/took.Seconds(), drained.Round(100*time.Millisecond))
}

func envOr(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}

func startNine(t *testing.T) *nine {
	t.Helper()
	n := &nine{t: t, servers: cluster.StartNATSCluster(t, 3), zk: cluster.StartEnsemble(t, 3)}
	var err error
	n.nc, err = nats.Connect(n.servers.URL(), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.nc.Close)
	if n.js, err = jetstream.New(n.nc, jetstream.WithDefaultTimeout(2*time.Second)); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for i := range 3 {
		id := fmt.Sprintf("h%d", i+1)
		h := &nineHub{t: t, log: filepath.Join(dir, id+".log")}
		h.env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "REPLHUB_") || strings.HasPrefix(v, "NATS_") })
		h.env = append(h.env, "REPLHUB_NATS_URL="+n.servers.URL(), "REPLHUB_HUB_ID="+id, "REPLHUB_HTTP_ADDR=127.0.0.1:0",
			"REPLHUB_REGISTRY=zk", "REPLHUB_ZK_SERVERS="+strings.Join(n.zk.Servers(), ","), "REPLHUB_ZK_SESSION_TIMEOUT=2s")
		h.start()
		n.hubs = append(n.hubs, h)
		t.Cleanup(func() {
			if err := h.process.Kill(); err != nil {
				t.Error(err)
			}
			if t.Failed() {
				t.Logf("log of hub %s:\n%s", id, h.process.Tail(16<<10))
			}
		})
	}
	return n
}

// await waits for a condition, for as long as a cluster may need after a fault.
func (n *nine) await(what string, check func() error) {
	n.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(2 * time.Minute); ; <-tick.C {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			n.t.Fatalf("waited in vain for %s: %v", what, err)
		}
	}
}

func (n *nine) register(service string) {
	n.t.Helper()
	n.await("the registration of "+service, func() error {
		m, err := n.nc.Request("replhub.register."+service, []byte(`{"entities":["user"]}`), 5*time.Second)
		if err == nil && m.Header.Get("Nats-Service-Error-Code") != "" {
			err = errors.New(string(m.Data))
		}
		return err
	})
}

// write publishes until stop is called, which returns how many events were acknowledged:
// each is sent under its id until it is.
func (n *nine) write() (stop func() (events int)) {
	ctx, cancel := context.WithCancel(context.Background())
	var writers sync.WaitGroup
	for w := range nineWriters {
		writers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				id := fmt.Sprintf("w%d-%d", w, i)
				n.publish(id)
			}
		})
	}
	n.t.Cleanup(func() { cancel(); writers.Wait() })
	return func() int {
		cancel()
		writers.Wait()
		return int(n.acked.Load())
	}
}

func (n *nine) publish(id string) {
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		_, err := n.js.Publish(ctx, "db.user.update", fmt.Appendf(nil, `{"id":%q}`, id), jetstream.WithMsgID(id), jetstream.WithRetryAttempts(0))
		cancel()
		if err == nil {
			n.acked.Add(1)
			return
		}
		pause(context.Background(), 20*time.Millisecond)
	}
	n.t.Errorf("event %s was not acknowledged", id)
}

// kill kills one of the nine, and starts it again. It returns when a second one may die:
// two nodes that lack messages are not among what is promised.
func (n *nine) kill(r *rand.Rand) {
	n.t.Helper()
	which, away := r.IntN(3), 200*time.Millisecond+time.Duration(r.Int64N(int64(3*time.Second)))
	kind := r.IntN(3)
	n.kills[kind]++
	switch kind {
	case 0:
		node := n.servers.Nodes[which]
		node.Kill()
		pause(n.t.Context(), away)
		node.Start()
		n.servers.WaitReady()
	case 1:
		member := n.zk.Members[which]
		member.Kill()
		pause(n.t.Context(), away)
		n.zk.Start()
	case 2:
		h := n.hubs[which]
		if err := h.process.Kill(); err != nil {
			n.t.Fatal(err)
		}
		pause(n.t.Context(), away)
		h.start()
	}
	pause(n.t.Context(), time.Second)
}

// drained waits until a lane has the last event.
func (n *nine) drained(service string, events int) {
	n.t.Helper()
	n.await("the copies of "+service, func() error {
		ctx, cancel := context.WithTimeout(n.t.Context(), 5*time.Second)
		defer cancel()
		s, err := n.js.Stream(ctx, "SUB_"+service)
		if err != nil {
			return err
		}
		m, err := s.GetLastMsgForSubject(ctx, "sub."+service+".user.*.*")
		if err != nil {
			return err
		}
		if at := m.Header.Get(contract.HeaderPosition); at != fmt.Sprintf("1-%d", events) {
			return fmt.Errorf("it ends at %s, %d events", at, events)
		}
		return nil
	})
}

// judge reads a lane: it has each event of ingest once, in order. All events are due to it,
// and each was stored once.
func (n *nine) judge(service string, events int) {
	n.t.Helper()
	cons, err := n.js.OrderedConsumer(n.t.Context(), "SUB_"+service, jetstream.OrderedConsumerConfig{
		HeadersOnly: true, FilterSubjects: []string{"sub." + service + ".user.*.*"},
	})
	if err != nil {
		n.t.Fatal(err)
	}
	iter, err := cons.Messages()
	if err != nil {
		n.t.Fatal(err)
	}
	defer iter.Stop()
	for i := 1; i <= events; i++ {
		m, err := iter.Next(jetstream.NextMaxWait(30 * time.Second))
		if err != nil {
			n.t.Fatalf("%s: copy %d of %d: %v", service, i, events, err)
		}
		if at := m.Headers().Get(contract.HeaderPosition); at != fmt.Sprintf("1-%d", i) {
			n.t.Fatalf("%s: copy %d is event %s", service, i, at)
		}
	}
}

// pause waits for a time, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
