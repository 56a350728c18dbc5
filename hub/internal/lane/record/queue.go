package record

import (
	"strconv"
	"time"

	"github.com/replhub/replhub/internal/contract"
)

// Orders of a work queue.
const (
	OrderNone = "none"
	OrderKey  = "key"
)

// Defaults of a work queue.
const (
	DefaultAckWait    = 30 * time.Second
	DefaultMaxDeliver = 10
	// MaxPartitions bounds the consumers of one lane.
	MaxPartitions = 256
)

// DefaultQueue is the queue of a service that requested no settings.
func DefaultQueue() contract.Queue {
	return contract.Queue{Order: OrderNone, Partitions: 1, AckWait: contract.Duration(DefaultAckWait), MaxDeliver: DefaultMaxDeliver}
}

// Partitions is the number of partitions over which copies are spread: 0 unless
// ordered by key.
func Partitions(q contract.Queue) int {
	if q.Order != OrderKey {
		return 0
	}
	return q.Partitions
}

// Consumers are the names of a queue's consumers.
func Consumers(q contract.Queue) []string {
	if q.Order != OrderKey {
		return []string{contract.ConsumerWorkers}
	}
	names := make([]string, q.Partitions)
	for i := range names {
		names[i] = contract.ConsumerWorkers + "-" + strconv.Itoa(i)
	}
	return names
}
