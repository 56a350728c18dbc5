package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"github.com/replhub/replhub/embedded"
	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/opshttp"
)

// devDrain bounds the stop of replhub dev.
const devDrain = 5 * time.Second

// devOptions are the flags of replhub dev.
type devOptions struct {
	port     int
	http     string
	storeDir string
	logLevel string
	console  string
	demo     bool
	// demoEvents and demoFor end the demo, and all of it, by itself; 0 is never.
	demoEvents int
	demoFor    time.Duration
}

func newDev(a *app) *cobra.Command {
	var o devOptions
	cmd := &cobra.Command{
		Use:     "dev",
		GroupID: groupHub,
		Short:   "Run NATS, registry and hub in one process, to try it out",
		Long: `Run a nats-server with JetStream, a key-value registry, the hub and its HTTP server
in this process, all on 127.0.0.1 and without configuration. The stored data is
removed at the end, unless --store-dir names a folder.

With --demo, three demo services run as well: user-profile publishes changes of
users; sharing and application, with two instances each, get the events that they
registered for.`,
		Example: `  replhub dev
  replhub dev --demo
  replhub dev --port 4333 --http 127.0.0.1:8333 --store-dir ./data`,
		Args:    cobra.NoArgs,
		PreRunE: refuseConnectionFlags,
		RunE: a.verb(func(ctx context.Context, _ []string) error {
			var level slog.Level
			if err := level.UnmarshalText([]byte(o.logLevel)); err != nil {
				return usagef("--log-level %q: must be debug, info, warn or error", o.logLevel)
			}
			return a.dev(ctx, o, newLogger(a.errOut, logText, level))
		}),
	}
	flags := cmd.Flags()
	flags.IntVar(&o.port, "port", embedded.DefaultPort, "port of NATS; 0 means a free port")
	flags.StringVar(&o.http, "http", defaultHTTPAddr, "address of the HTTP server; port 0 means a free port")
	flags.StringVar(&o.console, "console", hub.ConsoleOperate, "the console's mode: read, operate or off")
	flags.StringVar(&o.storeDir, "store-dir", "", "folder for the streams, kept at the end (default: a temporary folder, removed at the end)")
	flags.StringVar(&o.logLevel, "log-level", "warn", "what to log to stderr: debug, info, warn or error")
	flags.BoolVar(&o.demo, "demo", false, "run three demo services")
	flags.IntVar(&o.demoEvents, "demo-events", 0, "end after this number of demo events; 0 means never")
	flags.DurationVar(&o.demoFor, "demo-for", 0, "end after this time; 0 means never")
	a.completeFlags(cmd, map[string]completer{"log-level": levelWords()})
	takesZero(flags, "port", "demo-events", "demo-for")
	return cmd
}

// refuseConnectionFlags refuses the global flags that say where NATS is: a
// command that would not look at them must not seem to.
func refuseConnectionFlags(cmd *cobra.Command, _ []string) error {
	var connection connFlags
	names := pflag.NewFlagSet("", pflag.ContinueOnError)
	connection.register(names)
	var refusal error
	names.VisitAll(func(f *pflag.Flag) {
		if cmd.Flags().Changed(f.Name) {
			refusal = usagef("--%s is not for %s", f.Name, cmd.CommandPath())
		}
	})
	return refusal
}

// errBeyond refuses an address of dev's HTTP, which has neither token nor TLS.
var errBeyond = errors.New("can be reached from other machines, and dev has neither a token nor TLS: listen on 127.0.0.1, or run 'replhub serve'")

// dev runs until ctx ends or the demo does.
func (a *app) dev(ctx context.Context, o devOptions, log *slog.Logger) (err error) {
	listener, err := opshttp.Bind(ctx, o.http, "--http")
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }()
	if !opshttp.Loopback(listener.Addr()) {
		return fmt.Errorf("--http %s %w", o.http, errBeyond)
	}
	port := o.port
	if port == 0 {
		port = embedded.FreePort
	}
	server, err := embedded.Start(ctx, embedded.Config{Port: port, StoreDir: o.storeDir, Logger: log})
	if errors.Is(err, embedded.ErrPortTaken) {
		return fmt.Errorf("%w with --port", err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()

	connection := &hubLink{lost: make(chan error, 1)}
	id := randomHubID()
	if connection.nc, err = server.Connect(connection.options(id, log)...); err != nil {
		return err
	}
	defer connection.close()
	registry, err := kvRegistry(connection.nc, "", 1, log)
	if err != nil {
		return err
	}
	cfg := hub.Config{
		Conn: connection.nc, Registry: registry, RegistryKind: registryKV, ID: id, Replicas: 1, Version: buildVersion(), Logger: log,
		Console: hub.Console{Mode: o.console, Publish: true},
	}
	free := freeDisk(server.StoreDir())
	smallLimits(&cfg, free)
	stopTracing, err := startTracing(ctx, &cfg)
	if err != nil {
		return err
	}
	defer stopTracing()
	d := daemon{cfg: cfg, listener: listener, lost: connection.lost, drain: devDrain}
	return explainStart(a.devRun(ctx, o, d, server), devSpace(server.StoreDir(), free))
}

// devRun runs the hub, and the demo once the hub is ready; the end of the demo
// is the end of both.
func (a *app) devRun(ctx context.Context, o devOptions, d daemon, server *embedded.Server) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ready := make(chan struct{})
	var group errgroup.Group
	group.Go(func() error {
		defer stop()
		return d.run(ctx, func() { close(ready) })
	})
	group.Go(func() error {
		select {
		case <-ctx.Done():
			return nil
		case <-ready:
		}
		_, err := fmt.Fprint(a.out, devBanner(o, server, d.listener.Addr().String()))
		if err == nil && !o.demo {
			return nil // until somebody stops it
		}
		defer stop()
		if err != nil {
			return err
		}
		return a.runDemo(ctx, o, server)
	})
	err := group.Wait()
	if err == nil {
		_, err = fmt.Fprintln(a.out, "stopped")
	}
	return err
}

// devNeeds is about what the server must have free for the least limits: it lets
// streams reserve three quarters of that, and 64 MiB go to failed deliveries.
const devNeeds = 128 << 20

// smallLimits has the streams reserve little of a small disk: the server
// refuses a stream whose limit exceeds what is free.
func smallLimits(cfg *hub.Config, free int64) {
	if free <= 0 {
		return // unknown
	}
	const least, most = 16 << 20, 1 << 30
	cfg.IngestMaxBytes = min(max(free/8, least), most)
	cfg.LaneMaxBytes = min(max(free/16, least), most)
	cfg.DLQMaxBytes = min(max(free/16, least), most/4)
}

// devBanner tells what runs and what to type next. The commands work as they
// stand.
func devBanner(o devOptions, server *embedded.Server, http string) string {
	flag := ""
	if url := server.ClientURL(); url != "nats://127.0.0.1:"+strconv.Itoa(embedded.DefaultPort) {
		flag = " -s " + url
	}
	kept := "removed at the end"
	if o.storeDir != "" {
		kept = "kept"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "replhub %s: NATS, registry and hub in one process; Ctrl-C ends it\n\n", buildVersion())
	fmt.Fprintf(&b, "  NATS   %s, streams in %s (%s)\n", server.ClientURL(), server.StoreDir(), kept)
	fmt.Fprintf(&b, "  HTTP   http://%s: the console, /readyz and /metrics\n\n", http)
	if o.demo {
		return b.String()
	}
	fmt.Fprintf(&b, "In another terminal:\n\n")
	for _, line := range []string{
		`nats%s req replhub.register.sharing '{"entities":["user"]}'`,
		`nats%s pub -J db.user.create '{"id":"42","name":"Ada"}'`,
		`nats%s consumer next SUB_sharing workers`,
		`nats%s req replhub.explain.sharing '{"seq":1}'`,
		`nats%s req replhub.describe.sharing '{}'`,
	} {
		fmt.Fprintf(&b, "  "+line+"\n", flag)
	}
	fmt.Fprintf(&b, "\nor with this program: %s ls%s\n\n", programName(), flag)
	return b.String()
}

// programName is how this program was called; go run's path is of no use.
func programName() string {
	if strings.Contains(os.Args[0], "go-build") {
		return "go run ./cmd/replhub"
	}
	return os.Args[0]
}
