package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/reconnect"
)

// defaultHTTPAddr is where the hub's HTTP listens.
const defaultHTTPAddr = "127.0.0.1:8280"

func newServe(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "serve",
		GroupID: groupHub,
		Short:   "Run a hub on NATS and a registry",
		Long: `Run a hub until SIGTERM or Ctrl-C. The hub then finishes the requests and appends
that are under way. Several hubs on one NATS share the lanes.

Environment variables are the only configuration:

` + variablesHelp() + `
Traces of copies are exported where OTEL_EXPORTER_OTLP_ENDPOINT names a collector.

The log goes to stdout. If the hub cannot start or has to end, the reason goes to
stderr.`,
		Example: `  REPLHUB_NATS_URL=nats://127.0.0.1:4222 replhub serve
  REPLHUB_ZK_SERVERS=zk1:2181,zk2:2181,zk3:2181 REPLHUB_NATS_CREDS=hub.creds replhub serve`,
		Args:    cobra.NoArgs,
		PreRunE: refuseConnectionFlags,
		RunE: a.verb(func(ctx context.Context, _ []string) error {
			s, err := readSettings()
			if err != nil {
				return err
			}
			collectLess()
			err = serve(ctx, s, newLogger(a.out, s.LogFormat, s.LogLevel))
			if outputClosed(ctx, err) {
				// No way to be done, as with other commands: who supervises a hub has
				// to start it again.
				return errors.New("standard output is closed: the log cannot be written")
			}
			return err
		}),
	}
}

// collectLess lets the heap grow further between collections than Go does by
// itself, unless GOGC says something: a hub's live heap is mostly the tail's
// window, and marking it took a fifth of the hub's work while it copied.
func collectLess() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(200)
	}
}

// serve is the life of a hub process.
func serve(ctx context.Context, s settings, log *slog.Logger) error {
	cfg := s.hubConfig(log)
	if err := failpoints(&cfg); err != nil {
		return err
	}
	// The address is bound first, so that a second hub started by mistake fails
	// before it has changed a stream.
	listener, err := s.HTTP.Listen(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }()
	connection, err := s.NATS.connect(cfg.ID, log)
	if err != nil {
		return err
	}
	defer connection.close()
	cfg.Conn = connection.nc
	if cfg.Registry, err = s.registry(connection.nc, log); err != nil {
		return err
	}
	stopTracing, err := startTracing(ctx, &cfg)
	if err != nil {
		return err
	}
	defer stopTracing()
	d := daemon{cfg: cfg, listener: listener, lost: connection.lost, drain: s.DrainTimeout}
	return explainStart(d.run(ctx, func() {
		log.Info("ready", "hub", cfg.ID, "nats", reconnect.Server(connection.nc), "registry", s.Registry,
			"http", listener.Addr().String(), "version", cfg.Version)
	}), serveSpace)
}

func (s settings) hubConfig(log *slog.Logger) hub.Config {
	id := s.HubID
	if id == "" || id == "random" { // the default, as the help states it
		id = randomHubID()
	}
	return hub.Config{
		Domain:         s.JSDomain,
		RegistryKind:   s.Registry,
		ID:             id,
		Replicas:       s.Replicas,
		History:        s.History,
		DedupeWindow:   s.DedupeWindow,
		IngestMaxBytes: int64(s.IngestMaxBytes),
		LaneMaxBytes:   int64(s.LaneMaxBytes),
		DLQMaxBytes:    int64(s.DLQMaxBytes),

		DLQServiceMaxBytes: int64(s.DLQServiceMaxBytes),
		MemoryBytes:        int64(s.MemoryBytes),

		MaxLanes:         s.Quota.Lanes,
		MaxLaneBytes:     int64(s.Quota.LaneBytes),
		MaxRegistrations: s.Quota.Registrations,

		HTTPToken:   s.HTTP.Token(),
		HTTPTrouble: s.HTTP.Trouble,
		HTTPProxies: s.HTTP.ranges(),
		Console:     hub.Console{Mode: s.Console, HidePayloads: s.ConsolePayloads == payloadsOff},

		OnFull:       s.OnFull,
		Policy:       s.Policy,
		StartTimeout: s.startTimeout,
		Version:      buildVersion(),
		Logger:       log,
	}
}

func newLogger(out io.Writer, format string, level slog.Level) *slog.Logger {
	options := &slog.HandlerOptions{Level: level}
	if format == logJSON {
		return slog.New(slog.NewJSONHandler(out, options))
	}
	return slog.New(slog.NewTextHandler(out, options))
}

// variablesHelp is a table of all variables.
func variablesHelp() string {
	var text strings.Builder
	columns := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, v := range contract.Variables() {
		meaning := v.Meaning
		if v.Default != "" {
			meaning += " (" + v.Default + ")"
		}
		_, _ = fmt.Fprintf(columns, "  %s\t%s\n", v.Name, meaning) // to memory, as below
	}
	_ = columns.Flush()
	return text.String()
}
