package console

import (
	"context"
	"html/template"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"github.com/replhub/replhub/hub/internal/console/view"
	"github.com/replhub/replhub/hub/internal/deadletter"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/lanes"
	"github.com/replhub/replhub/hub/internal/report"
)

// Modes of a console.
const (
	Off     = "off"     // no pages
	Read    = "read"    // pages that change nothing
	Operate = "operate" // pages with actions
)

// Source is the hub that the console shows.
type Source struct {
	// Ask performs a control verb; of is the service or entity that it names.
	Ask         func(ctx context.Context, verb, of string, request []byte) ([]byte, error)
	Report      *report.Reporter
	Ingest      *ingest.Ingest
	Lanes       *lanes.Set
	DeadLetters *deadletter.Queue
	JS          jetstream.JetStream
	// End is the last event that the hub knows of.
	End func() uint64
}

// Config is what a Console needs. Hub, Ready, Source and Logger are required.
type Config struct {
	// Hub is the hub's id.
	Hub string
	// Mode is Read or Operate.
	Mode string
	// HidePayloads says that no page shows a payload.
	HidePayloads bool
	// Publish allows to publish events by hand, in mode Operate.
	Publish bool
	// Ready is closed when the hub answers requests, and Source is asked from then on.
	Ready  <-chan struct{}
	Source func() Source
	// Token is the token that a browser logs in with; nil demands none, and then only
	// this machine is answered.
	Token func() (string, error)
	// Proxies are the addresses of proxies whose X-Forwarded headers are believed.
	Proxies []netip.Prefix
	Logger  *slog.Logger
	// Every is the least time between two readings of all lanes; 5 s by default.
	Every time.Duration
}

// Console answers the requests of browsers. It may be used concurrently, and before Run.
type Console struct {
	cfg       Config
	log       *slog.Logger
	pages     map[string]*template.Template
	collector *collector
	curves    *curves
	progress  *view.Progress
	tails     tails
	origin    *http.CrossOriginProtection
	now       func() time.Time
}

// New makes a Console.
func New(cfg Config) *Console {
	if cfg.Every <= 0 {
		cfg.Every = 5 * time.Second
	}
	c := &Console{
		cfg: cfg, log: cfg.Logger.With("part", "console"), pages: parsePages(), curves: newCurves(), progress: view.NewProgress(),
		tails: tails{room: maxTails}, origin: http.NewCrossOriginProtection(), now: time.Now,
	}
	c.collector = newCollector(cfg.Every, c.readAll)
	return c
}

// Run keeps what the pages show until ctx ends. Source can be asked before.
func (c *Console) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return c.collector.run(ctx) })
	group.Go(func() error { return c.sample(ctx) })
	return group.Wait()
}

// operates reports whether actions are offered.
func (c *Console) operates() bool { return c.cfg.Mode == Operate }

// Handler answers the console's paths.
func (c *Console) Handler() http.Handler {
	pages := http.NewServeMux()
	pages.HandleFunc("GET /{$}", c.overview)
	pages.HandleFunc("GET /part/overview", c.overviewPart)
	pages.HandleFunc("GET /part/pulse", c.pulse)
	pages.HandleFunc("GET /services/{service}", c.service)
	pages.HandleFunc("GET /part/services/{service}", c.servicePart)
	pages.HandleFunc("GET /curves/{service}", c.curvesOf)
	pages.HandleFunc("GET /row", c.row)
	pages.HandleFunc("GET /part/fates", c.fates)
	pages.HandleFunc("GET /letters", c.letters)
	pages.HandleFunc("GET /letters/{seq}", c.letter)
	pages.HandleFunc("GET /playground", c.playground)
	pages.HandleFunc("GET /tail", c.tail)
	pages.HandleFunc("GET /tail/stream", c.tailStream)
	pages.HandleFunc("GET /do/{action}", c.confirm)
	pages.HandleFunc("POST /do/{action}", c.perform)
	pages.HandleFunc("/", c.notFound)

	all := http.NewServeMux()
	all.Handle("GET /assets/", assetsHandler())
	all.HandleFunc("GET /login", c.loginPage)
	all.HandleFunc("POST /login", c.login)
	all.HandleFunc("POST /logout", c.logout)
	all.Handle("/", c.authorized(c.whenReady(pages)))
	return c.guarded(all)
}

// whenReady answers that the hub starts until it can be asked.
func (c *Console) whenReady(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-c.cfg.Ready:
			next.ServeHTTP(w, r)
		default:
			w.Header().Set("Retry-After", "1")
			w.Header().Set("Refresh", "2")
			c.fail(w, r, http.StatusServiceUnavailable, "The hub is starting. This page loads again by itself.")
		}
	})
}
