package world

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/replhub/replhub/e2e/soak/tally"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/cluster"
)

const (
	// faultEvery is about the time between two faults.
	faultEvery = 3 * time.Second
	// A node is away for awayLeast to awayMost.
	awayLeast = 500 * time.Millisecond
	awayMost  = 5 * time.Second
	// stallFor is how long the stalled lane's workers are away, stallRest how
	// long they work in between.
	stallFor  = 25 * time.Second
	stallRest = 15 * time.Second
)

// breaker moves leaders and kills nodes, one at a time. It belongs to the test's
// goroutine.
type breaker struct {
	control

	cluster *cluster.NATSCluster
	lanes   []*service
	story   *tally.Story
	counts  *counts
	rand    *rand.Rand
}

func (b *breaker) run(ctx context.Context) {
	for pause(ctx, time.Duration(float64(faultEvery)*(0.5+b.rand.Float64()))) {
		if b.rand.IntN(2) == 0 {
			b.moveLeaders()
		} else {
			b.kill(ctx)
		}
	}
}

// moveLeaders has some streams elect another leader, and does not wait for it.
func (b *breaker) moveLeaders() {
	streams := []string{contract.StreamIngest, contract.StreamLedger}
	for range 3 {
		streams = append(streams, b.lanes[b.rand.IntN(len(b.lanes))].stream())
	}
	for _, name := range streams {
		if b.rand.IntN(2) == 0 {
			continue
		}
		b.counts.add("step-down")
		b.story.Tell("", "leader of %s steps down", name)
		if err := b.nc.PublishRequest("$JS.API.STREAM.LEADER.STEPDOWN."+name, b.nc.NewInbox(), nil); err != nil {
			b.story.Tell("", "step down: %v", err)
		}
	}
}

// kill kills a node, and starts it again. It returns when the node has its
// streams back: two nodes that lack messages are not among what is promised.
func (b *breaker) kill(ctx context.Context) {
	n := b.cluster.Nodes[b.rand.IntN(len(b.cluster.Nodes))]
	b.counts.add("kill")
	b.story.Tell("", "node %s killed", n.Name())
	n.Kill()
	pause(ctx, awayLeast+time.Duration(b.rand.Int64N(int64(awayMost-awayLeast))))
	n.Start()
	b.cluster.WaitReady()
	b.story.Tell("", "node %s is back", n.Name())
}

// stall keeps a service's workers away for a while, again and again.
func stall(ctx context.Context, s *service) {
	defer s.crew.start()
	for {
		s.tell("stall", "workers away")
		s.crew.stop()
		if !pause(ctx, stallFor) {
			return
		}
		s.crew.start()
		s.tell("stall", "workers back")
		if !pause(ctx, stallRest) {
			return
		}
	}
}
