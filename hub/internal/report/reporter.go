// Package report answers the questions of people and monitors: about lanes,
// registrations, the fate of an event, and what does not work as it should. It is
// read-only.
package report

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/alarm"
	"github.com/replhub/replhub/hub/internal/consumers"
	"github.com/replhub/replhub/hub/internal/deadletter"
	"github.com/replhub/replhub/hub/internal/hubstream"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/lanes"
	"github.com/replhub/replhub/hub/internal/ownership"
	"github.com/replhub/replhub/hub/internal/partition"
	"github.com/replhub/replhub/hub/internal/reply"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/tree"
	"github.com/replhub/replhub/subjects"
)

// Registry is the part of the registry that reports show.
type Registry interface {
	Status() tree.Status
	// Alarms describes the records that were left out.
	Alarms() []string
}

// Hub is the part of the hub's own work that reports show.
type Hub interface {
	// Dispatching reports whether ingest can be reached.
	Dispatching() bool
	// Disk describes the trouble with the server's disk; empty without trouble.
	Disk() string
	// IngestFull describes an ingest that is nearly full; nil when it is not.
	IngestFull() *contract.IngestFull
	// Account describes the account's limits that are nearly reached.
	Account() []string
	// Layout describes the streams that do not have their replicas and their place yet.
	Layout() []string
	// HTTP describes the trouble with the files of the HTTP server.
	HTTP() string
	// Untrimmed says why ingest is not trimmed, with one text for each lane that
	// cannot be read or written.
	Untrimmed() []string
}

// Config is what a Reporter needs. Every field is required.
type Config struct {
	JS          jetstream.JetStream
	Conn        *nats.Conn
	Ingest      *ingest.Ingest
	Hubs        *ownership.Hubs
	Lanes       *lanes.Set
	Lacking     *lanes.Lacking
	Watch       *consumers.Watch
	DeadLetters *deadletter.Queue
	Rosters     *partition.Rosters
	Unavailable *Unavailable
	Alarms      *alarm.Set
	Registry    Registry
	Hub         Hub
	// Damaged describes messages that servers hold and cannot read.
	Damaged func() []string
	// Kept are the streams that all services share.
	Kept []*hubstream.Kept

	// Status shows RegistryKind, Version and Started; IngestMaxBytes is ingest's
	// limit.
	RegistryKind, Version string
	Started               time.Time
	IngestMaxBytes        int64
	Logger                *slog.Logger
}

// Reporter answers questions. It may be used concurrently.
type Reporter struct{ cfg Config }

// New makes a Reporter.
func New(cfg Config) *Reporter { return &Reporter{cfg} }

// room is how many bytes a page may have.
func (r *Reporter) room() int { return reply.Room(r.cfg.Conn.MaxPayload()) }

// listed bounds a list of texts to the room beside the rest of a reply.
func (r *Reporter) listed(texts []string) []string { return reply.Listed(texts, r.room()/4) }

func (r *Reporter) paging(after string, limit, unlimited int) (reply.Paging, error) {
	return reply.ParsePaging(after, limit, unlimited, r.room())
}

// lanesAfter are the lanes behind a name, in the order of their names.
func (r *Reporter) lanesAfter(ctx context.Context, after string) ([]subjects.Name, error) {
	found, err := r.cfg.Lanes.List(ctx)
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(s subjects.Name) bool { return s.String() <= after })
	slices.SortFunc(found, func(a, b subjects.Name) int { return strings.Compare(a.String(), b.String()) })
	return found, nil
}

// since is how many seconds ago something was, by the servers' clock; never negative.
func (r *Reporter) since(at time.Time) float64 { return max(r.cfg.Ingest.Now().Sub(at).Seconds(), 0) }

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
