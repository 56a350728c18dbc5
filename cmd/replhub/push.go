package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/internal/bridge"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/pause"
	"github.com/replhub/replhub/push"
)

// envPushSecret holds the secrets of push where no file does. A command line can be read
// by others, so that there is no flag for them.
const envPushSecret = "REPLHUB_PUSH_SECRET" //nolint:gosec // a variable's name

// pushFlags are the flags of replhub push.
type pushFlags struct {
	bridgeFlags
	interestFlags

	cfg    push.Config
	dryRun bool
}

func newPush(a *app) *cobra.Command {
	var f pushFlags
	cmd := &cobra.Command{
		Use:     "push <service> --url https://… --secret-file F",
		GroupID: groupBridges,
		Short:   "Deliver a service's events to an HTTP endpoint",
		Long: `Send each event of a service to an HTTP endpoint, as a POST with the event's payload.
Requests are signed as Standard Webhooks says, and have the headers of CloudEvents. The
events of a key arrive in order, while other keys go on. Several processes share the
work. docs/push.md has the headers, the answers and what each means, and receivers.

An answer of 2xx acknowledges the event. After 429, and 503 with Retry-After, the command
waits. During an outage of the endpoint, it tries one event at a time, and loses none.
410 pauses the service. Of the other answers of 4xx, some make a dead letter, and some
count as an outage.

Each flag can be stated in a YAML file (--config) as a member of its name with _ in
place of -, and as a variable REPLHUB_PUSH_<FLAG>. A flag has precedence over the
variable, and the variable over the file. The secrets are in a file, or in the variable
` + envPushSecret + `. The log goes to stderr, and a summary to stdout at the end.`,
		Example: `  echo "whsec_$(openssl rand -base64 32)" > secret
  replhub push sharing --url https://example.com/hook --secret-file secret --entity user --fields id,name --start all
  replhub push sharing --url https://example.com/hook --secret-file secret --entity user --dry-run
  replhub push sharing --url https://example.com/hook --secret-file secret --once`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeService,
		Annotations:       map[string]string{bridgeVariables: envPushSecret},
	}
	f.bridgeFlags.register(cmd, "127.0.0.1:8283", true)
	f.interestFlags.register(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&f.dryRun, "dry-run", false, "print the request for an example event of each --entity, and connect to nothing")
	flags.StringVar(&f.cfg.URL, "url", "", "address of the endpoint")
	flags.StringVar(&f.cfg.SecretFile, "secret-file", "", "file with the secrets that sign the requests, each whsec_ and base64, one on each line; read at each request ($"+envPushSecret+" without a file)")
	flags.StringVar(&f.cfg.CAFile, "ca", "", "file with the CA certificates for the endpoint (default the system's)")
	flags.BoolVar(&f.cfg.AllowPrivate, "allow-private", false, "allow private, loopback and link-local addresses, and http there")
	flags.BoolVar(&f.cfg.Proxy, "proxy", false, "use the proxy of HTTPS_PROXY, HTTP_PROXY and NO_PROXY; needs --allow-private, because addresses behind a proxy cannot be checked")
	flags.IntVar(&f.cfg.Concurrency, "concurrency", 16, "maximum number of concurrent requests")
	flags.DurationVar(&f.cfg.RequestTimeout, "request-timeout", 15*time.Second, "maximum length of a request, its answer included")
	flags.DurationVar(&f.cfg.MaxRetryAfter, "max-retry-after", 5*time.Minute, "longest wait that the endpoint may ask for")
	flags.DurationVar(&f.cfg.PauseFor, "pause-for", 24*time.Hour, "length of the service's pause after 410")
	flags.IntVar(&f.cfg.MaxAttempts, "max-attempts", 10, "attempts of an event that fails while others are delivered")
	a.completeFlags(cmd, map[string]completer{"entity": knownEntities, "ops": opWords, "start": startWords()})
	cmd.RunE = a.verb(func(ctx context.Context, args []string) error { return a.push(ctx, args[0], &f) })
	return cmd
}

// push runs until ctx ends, or with --once until all is delivered.
func (a *app) push(ctx context.Context, service string, f *pushFlags) error {
	a.lines = a.json && !f.once
	log, err := f.logger(a.errOut)
	if err != nil {
		return err
	}
	if err := f.complete(); err != nil {
		return err
	}
	if f.dryRun {
		return a.pushDryRun(ctx, service, f)
	}
	listener, err := f.listen(ctx)
	if err != nil {
		return err
	}
	if listener != nil {
		defer func() { _ = listener.Close() }()
	}
	conn, err := a.connectService(service, log)
	if err != nil {
		return err
	}
	defer conn.nc.Close()
	metrics := bridge.NewMetrics(buildVersion(), contract.PushMetrics())
	cfg := f.cfg
	cfg.Conn, cfg.Domain, cfg.Service, cfg.Logger = conn.nc, conn.domain, service, log
	observePush(&cfg, metrics)
	p, err := push.New(ctx, cfg)
	if err != nil {
		return err
	}
	defer p.Close()
	ops := &bridge.Ops{
		Command: "push", Service: service, NotReady: func() contract.NotReady { return pushNotReady(conn.nc.IsConnected(), p.State()) }, Degraded: p.Degraded,
		Metrics: metrics, Refresh: func() { showPush(metrics, p.State()) }, Token: f.http.Token(), Logger: log,
	}
	addr := httpNone
	if listener != nil {
		addr = listener.Addr().String()
	}
	log.Info("push begins", "service", service, "endpoint", p.Endpoint(), "http", addr, "version", buildVersion())
	err = ops.Run(ctx, listener, f.drain+drainMargin, func(ctx context.Context) error {
		if !a.lines {
			return p.Run(ctx)
		}
		ctx, stop := context.WithCancel(ctx)
		var showing sync.WaitGroup
		showing.Go(func() { a.showPushing(ctx, p) })
		defer showing.Wait()
		defer stop()
		return p.Run(ctx)
	})
	return a.pushed(p.Summary(), err, log)
}

// showPushing prints lines of the status until ctx ends.
func (a *app) showPushing(ctx context.Context, p *push.Pusher) {
	status := &statusLines{app: a}
	for ctx.Err() == nil {
		if lane, err := p.Lane(ctx); err == nil {
			status.show(pushLine(p.Summary(), p.Degraded(), &lane))
		} // without an answer the next one tells
		_ = pause.For(ctx, time.Second) // the loop sees the end of ctx
	}
}

// complete adds to the config what is no flag of its own, and refuses what is missing.
func (f *pushFlags) complete() (err error) {
	if f.cfg.Registration, err = f.registration(); err != nil {
		return err
	}
	if f.cfg.SecretFile == "" {
		f.cfg.Secrets = os.Getenv(envPushSecret)
	}
	switch {
	case f.cfg.URL == "":
		return usagef("the URL is missing: give --url, REPLHUB_PUSH_URL, or url in the file")
	case f.cfg.SecretFile == "" && f.cfg.Secrets == "":
		return usagef("the secret is missing: give --secret-file or %s; 'echo whsec_$(openssl rand -base64 32)' makes a secret", envPushSecret)
	}
	f.cfg.Once, f.cfg.DrainTimeout, f.cfg.UserAgent = f.once, f.drain, "replhub-push/"+buildVersion()
	return nil
}

// drainMargin is what a stop may take beyond the handlers' time.
const drainMargin = 5 * time.Second

// pushed prints the summary.
func (a *app) pushed(s push.Summary, err error, log *slog.Logger) error {
	if err != nil && a.json {
		log.Info("push ends", "service", s.Service, "delivered", s.Delivered, "dead_letters", s.DeadLetters, "requests", s.Requests)
		return err // whose JSON is the output
	}
	switch {
	case a.json && !a.lines:
		return a.printValue(s)
	case a.json:
		return a.printValue(struct {
			State string `json:"state"`
			push.Summary
		}{statusStopped, s})
	}
	answers := make([]string, 0, len(s.Answers))
	for _, status := range slices.Sorted(maps.Keys(s.Answers)) {
		answers = append(answers, fmt.Sprintf("%s %s", count(uint64(s.Answers[status])), status))
	}
	_, printErr := fmt.Fprintf(a.out, "%s: %s delivered, %s (%s)\n", s.Service, plural(s.Delivered, "event"), plural(s.DeadLetters, "dead letter"), list(answers, "no requests"))
	if err == nil {
		err = printErr
	}
	return err
}

// registration is what the flags ask for; without --entity what is registered counts.
func (f *pushFlags) registration() (replhub.Registration, error) {
	interests, err := f.interests()
	return replhub.Registration{Interests: interests, Queue: replhub.Queue{Partitions: f.partitions}, MaxBytes: int64(f.maxBytes)}, err
}

// observePush counts requests and dead letters.
func observePush(cfg *push.Config, m *bridge.Metrics) {
	for _, code := range []string{contract.PushCode2xx, contract.PushCode4xx, contract.PushCode429, contract.PushCode5xx, contract.PushCodeTimeout, contract.PushCodeNone} {
		m.Add(contract.MetricPushRequests, 0, code)
	}
	m.Add(contract.MetricPushRepeated, 0)
	m.Add(contract.MetricPushDeadLetters, 0)
	cfg.OnRequest = func(r push.Request) {
		m.Add(contract.MetricPushRequests, 1, pushCode(r))
		m.Observe(contract.MetricPushSeconds, r.Took.Seconds())
		if r.Repeated {
			m.Add(contract.MetricPushRepeated, 1)
		}
	}
	cfg.OnDead = func(*replhub.Delivery, error) { m.Add(contract.MetricPushDeadLetters, 1) }
}

// pushNotReady is why no event flows for a reason that a restart may mend.
func pushNotReady(connected bool, s push.State) contract.NotReady {
	switch {
	case !connected:
		return contract.NotReadyNATS
	case !s.Ready && s.PausedUntil.IsZero(): // between two rounds it is paused
		return contract.NotReadyStarting
	default:
		return ""
	}
}

// showPush sets the gauges.
func showPush(m *bridge.Metrics, s push.State) {
	m.Set(contract.MetricPushUnavailable, oneIf(s.Unavailable != nil))
	m.Set(contract.MetricPushWait, s.Wait.Seconds())
	m.Set(contract.MetricPushGone, oneIf(s.Gone))
}

func oneIf(holds bool) float64 {
	if holds {
		return 1
	}
	return 0
}

// pushCode is the class of a request's answer.
func pushCode(r push.Request) string {
	switch {
	case r.Status == 429:
		return contract.PushCode429
	case r.Status >= 200 && r.Status < 300:
		return contract.PushCode2xx
	case r.Status >= 300 && r.Status < 400:
		return contract.PushCode3xx
	case r.Status >= 400 && r.Status < 500:
		return contract.PushCode4xx
	case r.Status >= 500 && r.Status < 600:
		return contract.PushCode5xx
	case r.Status > 0:
		return contract.PushCodeOther
	case errors.Is(r.Err, push.ErrTimeout):
		return contract.PushCodeTimeout
	default:
		return contract.PushCodeNone
	}
}
