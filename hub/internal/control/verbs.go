package control

import (
	"log/slog"
	"maps"
	"slices"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/deadletter"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/hub/internal/lanes"
	"github.com/replhub/replhub/hub/internal/partition"
	"github.com/replhub/replhub/hub/internal/policy"
)

// VerbsConfig is what Verbs need. Every field is required.
type VerbsConfig struct {
	JS          jetstream.JetStream
	Conn        *nats.Conn
	Ingest      *ingest.Ingest
	Lanes       *lanes.Set
	DeadLetters *deadletter.Queue
	Rosters     *partition.Rosters
	// Policies has the policies of entities in which a service has no interest now.
	Policies *policy.Enforcer
	// Failpoint is called at named steps; tests kill the process there.
	Failpoint func(step string)
	Logger    *slog.Logger
}

// Verbs are the verbs that concern a lane's work. Each method answers one verb. The
// methods may be called concurrently.
type Verbs struct {
	cfg VerbsConfig
	// digests has a place for each digest that may be made at once: the rows of one may be
	// in memory.
	digests chan struct{}
	places  *lane.Places
}

// NewVerbs makes Verbs.
func NewVerbs(cfg VerbsConfig) *Verbs {
	return &Verbs{cfg: cfg, digests: make(chan struct{}, maxDigests), places: lane.NewPlaces()}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
