package replhubtest

import (
	"log/slog"
	"time"

	"github.com/replhub/replhub/embedded"
	"github.com/replhub/replhub/hub"
)

// Option configures Start. Without options, the defaults are those of "replhub dev".
type Option func(*options)

type options struct {
	server embedded.Config
	hub    hub.Config
	log    *slog.Logger
	noHub  bool
}

// WithLogger sets the logger of server, hub and clients. By default their warnings go
// to the test's own log.
func WithLogger(log *slog.Logger) Option { return func(o *options) { o.log = log } }

// WithMaxPayload sets the largest message that the server accepts, in bytes, headers
// included; 1 MiB by default.
func WithMaxPayload(bytes int) Option { return func(o *options) { o.server.MaxPayload = bytes } }

// WithIngestLimit bounds the stream that takes every event, in bytes, at least
// 1 MiB; 256 MiB by default. Once it is full, publishers are refused.
func WithIngestLimit(bytes int64) Option {
	return func(o *options) { o.hub.IngestMaxBytes, o.hub.OnFull = bytes, hub.OnFullRefuse }
}

// WithDedupeWindow sets how long a publisher's retry is recognised; 10 minutes by
// default. A relay that a test pauses for longer publishes an event twice.
func WithDedupeWindow(d time.Duration) Option { return func(o *options) { o.hub.DedupeWindow = d } }

// WithoutHub starts no hub until StartHub: for tests of a service that starts before
// any hub.
func WithoutHub() Option { return func(o *options) { o.noHub = true } }
