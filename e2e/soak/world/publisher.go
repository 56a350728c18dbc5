package world

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/e2e/soak/tally"
)

const (
	// writers publish at the same time, each one event after the other.
	writers = 16
	// publishTime bounds the wait for one acknowledgement, unknownTime all
	// attempts to publish one event.
	publishTime = 2 * time.Second
	unknownTime = time.Minute
	// phaseTime is how long writers publish in one manner.
	phaseTime = 3 * time.Second
	// payloadBytes is about how large an event is.
	payloadBytes = 1200
	// headerSoak tells workers an event's class and key.
	headerSoak = "X-Soak"
)

// publishing is what all writers share.
type publishing struct {
	events  *tally.Events
	unknown atomic.Uint64
	held    atomic.Bool // workers cannot follow
}

// writer publishes events at a pace. Each attempt of one event bears one id; an
// attempt that the server forgets within its short window is another event, of
// which the sequence is never acknowledged to anybody.
type writer struct {
	all  *publishing
	js   jetstream.JetStream
	name string
	rand *rand.Rand
	pad  string
}

func (p *publishing) writer(js jetstream.JetStream, name string, seed uint64) *writer {
	return &writer{all: p, js: js, name: name, rand: rand.New(rand.NewPCG(seed, 7)), pad: strings.Repeat("x", payloadBytes-60)}
}

func (p *writer) run(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	n, owed, began := 0, 0, time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if p.all.held.Load() {
			continue
		}
		if owed++; owed < volley(time.Since(began)) {
			continue
		}
		for ; owed > 0; owed-- {
			n++
			p.publish(n)
		}
	}
}

// volley is how many events a writer publishes at a time: by turns one, and more
// with gaps in between, in which workers come to the end of their queues.
func volley(age time.Duration) int {
	turns := []int{1, 4, 1, 12}
	return turns[int(age/phaseTime)%len(turns)]
}

// publish publishes an event until it is acknowledged, also when the run ends
// meanwhile.
func (p *writer) publish(n int) {
	entity, class, key := p.rand.IntN(tally.Entities), p.rand.IntN(tally.Classes), p.rand.IntN(tally.Keys)
	m := nats.NewMsg("db." + tally.EntityName(entity) + ".update")
	m.Data = fmt.Appendf(nil, `{"id":"k%d","c":%d,"writer":%q,"n":%d,"pad":%q}`, key, class, p.name, n, p.pad)
	m.Header.Set("Nats-Msg-Id", fmt.Sprintf("%s-%d", p.name, n))
	m.Header.Set(headerSoak, fmt.Sprintf("%d.%d", entity, key))
	deadline := time.Now().Add(unknownTime)
	for {
		ctx, cancel := context.WithTimeout(context.Background(), publishTime)
		ack, err := p.js.PublishMsg(ctx, m, jetstream.WithRetryAttempts(0))
		cancel()
		if err == nil {
			p.all.events.Ack(ack.Sequence, entity, class, time.Now())
			return
		}
		if time.Now().After(deadline) {
			p.all.unknown.Add(1)
			return
		}
		pause(context.Background(), retryEvery)
	}
}
