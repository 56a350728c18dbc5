package world

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/e2e/soak/tally"
	"github.com/replhub/replhub/embedded"
	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/testenv/cluster"
)

// world is all that runs.
type world struct {
	control

	tb       testing.TB
	cfg      Config
	began    time.Time
	url      string
	server   *embedded.Server     // nil but in Dev
	cluster  *cluster.NATSCluster // nil but in Three
	hubs     []*running
	services []*service
	stalled  *service // nil but in Three
	events   *tally.Events
	story    *tally.Story
	requests counts // what was asked of hubs, and the workers' changes
	faults   counts
	purges   counts // seen on their way to the server
	pub      *publishing
	odd      oddities
}

// Run runs a world until its time is over or ctx ends, waits until everything
// due has come, and returns what was found. Call it from the test's goroutine.
func Run(ctx context.Context, tb testing.TB, cfg Config) (report Report, err error) {
	tb.Helper()
	cfg = cfg.withDefaults()
	if err := cfg.Validate(); err != nil {
		return Report{}, err
	}
	w := &world{tb: tb, cfg: cfg, began: time.Now(), events: &tally.Events{}, story: tally.NewStory()}
	w.pub = &publishing{events: w.events}
	defer func() { err = errors.Join(err, w.close()) }()
	if err := w.open(); err != nil {
		return Report{}, err
	}
	w.work(ctx)
	w.settle(ctx)
	return w.report(), nil
}

// open starts servers, hubs, services and their workers.
func (w *world) open() error {
	log := slog.New(slog.NewTextHandler(w.cfg.Log, nil))
	var err error
	switch w.cfg.Kind {
	case Three:
		w.cluster = cluster.StartNATSCluster(w.tb, 3)
		w.url = w.cluster.URL()
	case Dev:
		w.server, err = embedded.Start(context.Background(), embedded.Config{Port: embedded.FreePort, StoreDir: w.tb.TempDir(), Logger: log})
		if err != nil {
			return err
		}
		w.url = w.server.ClientURL()
	default:
		w.url = cluster.StartNATS(w.tb).URL()
	}
	if w.nc, err = w.dial("soak"); err != nil {
		return err
	}
	if w.js, err = jetstream.New(w.nc); err != nil {
		return err
	}
	if err := w.watchPurges(); err != nil {
		return err
	}
	ids, onFull := []string{"h1"}, hub.OnFullDetach
	if w.cfg.Kind == Three {
		ids, onFull = []string{"h1", "h2"}, hub.OnFullRefuse
	}
	for _, id := range ids {
		nc, err := w.dial("hub " + id)
		if err != nil {
			return err
		}
		h, err := startHub(nc, id, onFull, log)
		if err != nil {
			nc.Close()
			return err
		}
		w.hubs = append(w.hubs, h)
	}
	return w.openServices()
}

func (w *world) openServices() error {
	bytes := int64(leastLaneBytes)
	for i := range w.cfg.Lanes {
		ordered := i%2 == 1
		name := fmt.Sprintf("plain-%d", i)
		if ordered {
			name = fmt.Sprintf("keyed-%d", i)
		}
		account := tally.NewService(name, ordered, w.events, w.story)
		s := &service{
			control: w.control, name: name, ordered: ordered, maxBytes: bytes, onlyNew: ordered && w.cfg.Kind == Three,
			events: w.events, account: account, story: w.story, counts: &w.requests,
			crew:      &crew{service: name, ordered: ordered, dial: w.dial, account: account, odd: w.odd.note},
			rand:      rand.New(rand.NewPCG(w.cfg.Seed, uint64(i))),
			interests: make(map[int]*interest), former: make(map[int]bool),
		}
		if ordered {
			if bytes *= 2; bytes > mostLaneBytes {
				bytes = leastLaneBytes
			}
		}
		if err := s.begin("new"); err != nil {
			return err
		}
		s.crew.start()
		w.services = append(w.services, s)
	}
	if w.cfg.Kind == Three {
		w.stalled = w.services[0]
		w.stalled.away = true
	}
	return nil
}

func (w *world) dial(name string) (*nats.Conn, error) {
	return nats.Connect(w.url, nats.Name(name), nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond),
		nats.RetryOnFailedConnect(true), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
}

// work has everything go on until the time is over.
func (w *world) work(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, w.cfg.Time)
	defer cancel()
	var busy sync.WaitGroup
	for i := range writers {
		p := w.pub.writer(w.js, fmt.Sprintf("w%d", i), w.cfg.Seed+uint64(i))
		busy.Go(func() { p.run(ctx, time.Second*writers/time.Duration(w.cfg.Rate)) })
	}
	for i := range directors {
		var mine []*service
		for n := i; n < len(w.services); n += directors {
			mine = append(mine, w.services[n])
		}
		busy.Go(func() { direct(ctx, mine, w.stepEvery(), &w.odd) })
	}
	if w.stalled != nil {
		busy.Go(func() { stall(ctx, w.stalled) })
	}
	busy.Go(func() { w.watch(ctx) })
	if w.cluster != nil {
		b := &breaker{
			control: w.control, cluster: w.cluster, lanes: w.services, story: w.story, counts: &w.faults,
			rand: rand.New(rand.NewPCG(w.cfg.Seed, 1<<32)),
		}
		b.run(ctx)
	}
	<-ctx.Done()
	busy.Wait()
}

// stepEvery is about the time between two things that a director asks for.
func (w *world) stepEvery() time.Duration {
	if w.cfg.Kind == Three {
		return 1500 * time.Millisecond
	}
	return 600 * time.Millisecond
}

// settle waits until every service has what it is due, or the time for that is
// over.
func (w *world) settle(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.cfg.Settle)
	defer cancel()
	for _, s := range w.services {
		if s.gone {
			continue
		}
		if err := s.resume(); err != nil {
			w.odd.note("settle: %v", err)
		}
		s.crew.start()
	}
	fmt.Fprintf(w.cfg.Out, "%s  no more events; waiting for what is due\n", w.age())
	for {
		missing := 0
		for _, s := range w.services {
			missing += s.account.Complete()
		}
		if missing == 0 || !pause(ctx, 2*retryEvery) {
			return
		}
	}
}

// close ends workers, hubs and connections; server processes end with the test.
func (w *world) close() error {
	var stops sync.WaitGroup
	for _, s := range w.services {
		stops.Go(s.crew.stop)
	}
	stops.Wait()
	var failed []error
	for _, h := range w.hubs {
		failed = append(failed, h.stop())
	}
	if w.nc != nil {
		w.nc.Close()
	}
	if w.server != nil {
		failed = append(failed, w.server.Close())
	}
	return errors.Join(failed...)
}
