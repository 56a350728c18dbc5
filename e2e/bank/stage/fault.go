package stage

import (
	"math/rand/v2"
	"time"
)

// Faults are how often each kind falls.
type Faults struct {
	// Publishers, Relays, Instances, Hubs and Servers are killed (SIGKILL) and
	// started again after a while; Freezes stop an instance (SIGSTOP) for longer
	// than its lease and let it go on.
	Publishers, Relays, Instances, Freezes, Hubs, Servers int
}

// kind is what a fault does.
type kind int

const (
	killPublisher kind = iota
	killRelay
	killInstance
	freezeInstance
	killHub
	killServer
)

func (k kind) String() string {
	return [...]string{"publisher killed", "relay killed", "instance killed", "instance frozen", "hub killed", "server killed"}[k]
}

// shuffled are all faults, in an order that the seed gives.
func (f Faults) shuffled(r *rand.Rand) []kind {
	var all []kind
	for k, n := range []int{f.Publishers, f.Relays, f.Instances, f.Freezes, f.Hubs, f.Servers} {
		for range n {
			all = append(all, kind(k))
		}
	}
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// between is a random time.
func between(r *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(r.Int64N(int64(most-least)))
}

// strike lets one fault fall. One for which nobody is left is passed over.
func (b *Bank) strike(k kind) {
	b.tb.Helper()
	target := func(posts []*post) *post {
		var up []*post
		for _, p := range posts {
			if p.back.IsZero() {
				up = append(up, p)
			}
		}
		if len(up) == 0 {
			return nil
		}
		return up[b.rand.IntN(len(up))]
	}
	killed := func(p *post, downtime time.Duration) {
		if p != nil {
			p.kill()
			b.struck(k, p, downtime)
		}
	}
	switch k {
	case killPublisher:
		killed(target(b.publishers), between(b.rand, 10*time.Millisecond, time.Second))
	case killRelay:
		killed(target(b.relays), between(b.rand, 10*time.Millisecond, time.Second))
	case killInstance:
		// At times it is back before the others may have what was its own.
		killed(target(b.instances()), between(b.rand, 10*time.Millisecond, 4*time.Second))
	case freezeInstance:
		if p := target(b.instances()); p != nil {
			p.freeze()
			b.struck(k, p, between(b.rand, 3500*time.Millisecond, 6*time.Second))
		}
	case killHub:
		if b.hubBack.IsZero() {
			b.hub.Kill()
			b.hubBack = time.Now().Add(between(b.rand, 10*time.Millisecond, 2*time.Second))
			b.Struck[k.String()]++
			b.tb.Logf("%s: hub", k)
		}
	case killServer:
		if b.hubBack.IsZero() {
			b.hub.AwaitReady() // a first start without a server ends with an error
		}
		b.world.NATS.Kill()
		b.Struck[k.String()]++
		b.tb.Logf("%s: nats-server", k)
		b.world.Let(between(b.rand, 10*time.Millisecond, 500*time.Millisecond))
		b.world.NATS.Start()
	}
}

func (b *Bank) struck(k kind, p *post, downtime time.Duration) {
	p.back = time.Now().Add(downtime)
	b.Struck[k.String()]++
	b.tb.Logf("%s: %s, for %s", k, p.current().name, downtime.Round(time.Millisecond))
}

// revive brings back what has been away for long enough, all of it in the end.
func (b *Bank) revive(all bool) {
	b.tb.Helper()
	now := time.Now()
	for _, p := range b.posts() {
		switch {
		case p.back.IsZero() || !all && now.Before(p.back):
		case p.frozen != 0:
			b.freezes = append(b.freezes, p.thaw())
		default:
			p.start()
		}
	}
	if !b.hubBack.IsZero() && (all || now.After(b.hubBack)) {
		b.hubBack = time.Time{}
		b.hub.Launch()
	}
}
