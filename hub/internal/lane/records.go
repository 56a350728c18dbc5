package lane

import (
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/internal/contract"
)

// A lane's state record and its parts: see package record.
type (
	State    = record.State
	Tip      = record.Tip
	Phase    = record.Phase
	Interest = record.Interest
	Policy   = record.Policy
	Fill     = record.Fill
	Filled   = record.Filled
	Snapshot = record.Snapshot
	Backfill = record.Backfill
	Rewound  = record.Rewound
	Detached = record.Detached
	LetterID = record.LetterID
	// StateTooLargeError says that a state record does not fit the server's
	// max_payload.
	StateTooLargeError = record.StateTooLargeError
)

// Constants of state records: see package record.
const (
	Live              = record.Live
	Filling           = record.Filling
	OrderNone         = record.OrderNone
	OrderKey          = record.OrderKey
	DefaultAckWait    = record.DefaultAckWait
	DefaultMaxDeliver = record.DefaultMaxDeliver
	MaxPartitions     = record.MaxPartitions
	MaxRedriven       = record.MaxRedriven
)

// ErrNewer is record.ErrNewer.
var ErrNewer = record.ErrNewer

// First is record.First.
func First(at ingest.Mark, queue contract.Queue, maxBytes int64) State {
	return record.First(at, queue, maxBytes)
}

// DefaultQueue is record.DefaultQueue.
func DefaultQueue() contract.Queue { return record.DefaultQueue() }

// Partitions is record.Partitions.
func Partitions(q contract.Queue) int { return record.Partitions(q) }

// Consumers is record.Consumers.
func Consumers(q contract.Queue) []string { return record.Consumers(q) }

// MostRedriven is record.MostRedriven.
func MostRedriven(maxPayload int64) int { return record.MostRedriven(maxPayload) }
