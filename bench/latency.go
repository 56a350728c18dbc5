package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/internal/contract"
)

const (
	// latencyRate is how many events are published per second.
	latencyRate = 1000
	// latencyWarmup is how much of a round's beginning does not count.
	latencyWarmup = time.Second
	// latencyDrain bounds the wait for the last copies of a round.
	latencyDrain = 30 * time.Second
)

// latencyLanes are the numbers of lanes in which latency is compared.
func latencyLanes() []int { return []int{3, 10} }

// delays are what one round came to, from the call that publishes an event to
// the worker's handler, over the copies of all lanes.
type delays struct {
	P50 time.Duration `json:"p50_ns"`
	P99 time.Duration `json:"p99_ns"`
	Max time.Duration `json:"max_ns"`
	N   int           `json:"copies"`
}

// latencyResult compares the ways at one number of lanes.
type latencyResult struct {
	Lanes int                 `json:"lanes"`
	Ways  map[string][]delays `json:"ways"`
	// P50 and P99 are hub to Sources, round by round.
	P50 summary `json:"p50_hub_to_sources"`
	P99 summary `json:"p99_hub_to_sources"`
}

func measureLatency(ctx context.Context, l *lab, opts options) ([]latencyResult, error) {
	var results []latencyResult
	for _, lanes := range latencyLanes() {
		r := latencyResult{Lanes: lanes, Ways: make(map[string][]delays)}
		for i := range opts.rounds {
			for _, way := range turn([]string{wayHub, waySources}, i) {
				d, err := latencyOnce(ctx, l, way, lanes, opts.latencyTime())
				if err != nil {
					return nil, fmt.Errorf("%s, %d lanes, round %d: %w", way, lanes, i+1, err)
				}
				l.say("latency: %d lanes, round %d of %d, %s: p50 %s", lanes, i+1, opts.rounds, way, d.P50)
				r.Ways[way] = append(r.Ways[way], d)
			}
		}
		of := func(way string, figure func(delays) time.Duration) []float64 {
			return pick(r.Ways[way], func(d delays) float64 { return float64(figure(d)) })
		}
		p50 := func(d delays) time.Duration { return d.P50 }
		p99 := func(d delays) time.Duration { return d.P99 }
		r.P50 = summarize(ratios(of(wayHub, p50), of(waySources, p50)))
		r.P99 = summarize(ratios(of(wayHub, p99), of(waySources, p99)))
		results = append(results, r)
	}
	return results, nil
}

// latencyOnce publishes for a time to lanes of a fresh server, each worked by
// one pull consumer.
func latencyOnce(ctx context.Context, l *lab, way string, lanes int, publish time.Duration) (d delays, err error) {
	s, err := l.startServer(ctx)
	if err != nil {
		return delays{}, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	names, stop, err := l.feed(ctx, s, way, lanes)
	if err != nil {
		return delays{}, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	return watchDelays(ctx, s, names, publish)
}

// feed makes lanes that follow ingest in one of the ways, until stop, and
// returns the names of their streams.
func (l *lab) feed(ctx context.Context, s *server, way string, lanes int) (streams []string, stop func() error, err error) {
	none := func() error { return nil }
	if way == waySources {
		if err := openIngest(ctx, s.js); err != nil {
			return nil, none, err
		}
		made, configs, err := plainLanes(ctx, s.js, lanes, sourcedFilter)
		if err != nil {
			return nil, none, err
		}
		return streamNames(made), none, addSources(ctx, s.js, configs)
	}
	names, err := services(lanes)
	if err != nil {
		return nil, none, err
	}
	h, err := l.startHub(ctx, s)
	if err != nil {
		return nil, none, err
	}
	if err := h.registerAll(ctx, names, contract.Register{Entities: []string{entity}}); err != nil {
		return nil, none, errors.Join(err, h.proc.stop())
	}
	made, err := hubLanes(ctx, s.js, names)
	if err != nil {
		return nil, none, errors.Join(err, h.proc.stop())
	}
	return streamNames(made), h.proc.stop, nil
}

func streamNames(lanes []laneStream) []string {
	names := make([]string, len(lanes))
	for i, l := range lanes {
		names[i] = l.name
	}
	return names
}

// watchDelays works the lanes while it publishes, and waits for the last copy.
func watchDelays(ctx context.Context, s *server, lanes []string, publish time.Duration) (delays, error) {
	// Workers and publisher are different services, so different connections.
	nc, err := nats.Connect(s.url)
	if err != nil {
		return delays{}, fmt.Errorf("connect the workers: %w", err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return delays{}, err
	}
	events := int(publish.Seconds() * latencyRate)
	w := newStopwatch(events * len(lanes))
	for _, lane := range lanes {
		consumer, err := js.Consumer(ctx, lane, contract.ConsumerWorkers)
		if err != nil {
			return delays{}, fmt.Errorf("look up the workers of %s: %w", lane, err)
		}
		working, err := consumer.Consume(w.handle)
		if err != nil {
			return delays{}, fmt.Errorf("work %s: %w", lane, err)
		}
		defer working.Stop()
	}
	if err := w.publish(ctx, s.nc, events); err != nil {
		return delays{}, err
	}
	late := time.NewTimer(latencyDrain)
	defer late.Stop()
	select {
	case <-w.done:
		return w.delays(), nil
	case <-late.C:
		return delays{}, fmt.Errorf("%d copies did not reach their workers within %s", w.missing(), latencyDrain)
	case <-ctx.Done():
		return delays{}, ctx.Err()
	}
}

// stopwatch times copies: each event carries when it was published.
type stopwatch struct {
	base time.Time
	done chan struct{} // closed with the last copy

	mu     sync.Mutex // guards what follows
	left   int
	counts []time.Duration
}

func newStopwatch(copies int) *stopwatch {
	return &stopwatch{base: time.Now(), done: make(chan struct{}), left: copies, counts: make([]time.Duration, 0, copies)}
}

// publish publishes events at latencyRate. One that is late goes out at once,
// and its delay counts from then: the publisher is not what is measured.
func (w *stopwatch) publish(ctx context.Context, nc *nats.Conn, events int) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	began := time.Now()
	for sent := 0; sent < events; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		for due := min(int(time.Since(began).Seconds()*latencyRate), events); sent < due; sent++ {
			if err := nc.Publish(subject, w.stamp(uint64(sent+1))); err != nil {
				return fmt.Errorf("publish: %w", err)
			}
		}
	}
	return nil
}

// stamp is a payload with the time since base where the padding ends.
func (w *stopwatch) stamp(n uint64) []byte {
	data := payload(n)
	const tail = len(`"}`)
	at := data[len(data)-tail-stampDigits : len(data)-tail]
	since := uint64(time.Since(w.base))
	for i := stampDigits - 1; i >= 0; i-- {
		at[i] = byte('0' + since%10)
		since /= 10
	}
	return data
}

const stampDigits = 16

// stampIn reads what stamp wrote.
func stampIn(data []byte) (time.Duration, error) {
	const tail = len(`"}`)
	if len(data) != payloadBytes {
		return 0, fmt.Errorf("not a payload of this bench: %.40q", data)
	}
	var since uint64
	for _, c := range data[len(data)-tail-stampDigits : len(data)-tail] {
		if c < '0' || c > '9' {
			return 0, fmt.Errorf("no time in the payload: %q", data)
		}
		since = since*10 + uint64(c-'0')
	}
	return time.Duration(since), nil
}

// handle is the worker.
func (w *stopwatch) handle(m jetstream.Msg) {
	now := time.Since(w.base)
	_ = m.Ack() // a lost one only brings the copy again, after the round
	at, err := stampIn(m.Data())
	if err != nil {
		return // and the round ends with a copy missing
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.left--
	if at > latencyWarmup {
		w.counts = append(w.counts, now-at)
	}
	if w.left == 0 {
		close(w.done)
	}
}

func (w *stopwatch) missing() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.left
}

func (w *stopwatch) delays() delays {
	w.mu.Lock()
	defer w.mu.Unlock()
	slices.Sort(w.counts)
	return delays{
		P50: percentile(w.counts, 50), P99: percentile(w.counts, 99), Max: percentile(w.counts, 100), N: len(w.counts),
	}
}
