package lane

import (
	"context"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// QueueOf derives a lane's queue from its consumers, for a lane whose state record is
// lost. Without consumers it is the default.
func QueueOf(ctx context.Context, js jetstream.JetStream, service subjects.Name) (contract.Queue, error) {
	have, err := Workers(ctx, js, service)
	if err != nil {
		return contract.Queue{}, err
	}
	q := DefaultQueue()
	partitions := 0
	for name, info := range have {
		q.AckWait, q.MaxDeliver = contract.Duration(info.Config.AckWait), info.Config.MaxDeliver
		if strings.HasPrefix(name, contract.ConsumerWorkers+"-") {
			partitions++
		}
	}
	if partitions > 0 {
		q.Order, q.Partitions = OrderKey, partitions
	}
	return q, nil
}
