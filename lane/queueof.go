package lane

import (
	"context"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/subjects"
	"github.com/replhub/replhub/wire"
)

// QueueOf reads a lane's queue off the consumers that it has, for a lane whose
// state record is lost; the default where it has none.
func QueueOf(ctx context.Context, js jetstream.JetStream, service subjects.Name) (wire.Queue, error) {
	have, err := Workers(ctx, js, service)
	if err != nil {
		return wire.Queue{}, err
	}
	q := DefaultQueue()
	partitions := 0
	for name, info := range have {
		q.AckWait, q.MaxDeliver = wire.Duration(info.Config.AckWait), info.Config.MaxDeliver
		if strings.HasPrefix(name, wire.ConsumerWorkers+"-") {
			partitions++
		}
	}
	if partitions > 0 {
		q.Order, q.Partitions = OrderKey, partitions
	}
	return q, nil
}
