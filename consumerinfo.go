package replhub

import (
	"context"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/internal/queue"
)

// info asks the server for a consumer's state.
func (s *Subscriber) info(ctx context.Context, consumer string) (*jetstream.ConsumerInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, s.client.cfg.Timeout)
	defer cancel()
	c, err := s.client.js.Consumer(ctx, s.stream, consumer)
	if err != nil {
		return nil, fmt.Errorf("look up consumer %s of %s: %w", consumer, s.stream, err)
	}
	return c.CachedInfo(), nil
}

// schedulerInfo is what the scheduler needs of a consumer's state; nil of none.
func schedulerInfo(info *jetstream.ConsumerInfo) *queue.Info {
	if info == nil {
		return nil
	}
	return &queue.Info{
		Created: info.Created, AckFloor: info.AckFloor.Stream, Start: info.Config.OptStartSeq,
		Delivered: info.Delivered.Stream, DeliveredSeq: info.Delivered.Consumer,
		Unacknowledged: info.NumAckPending, MaxUnacknowledged: info.Config.MaxAckPending, Undelivered: info.NumPending,
	}
}

// ackSubject is where an acknowledgement of a delivery goes. The server goes by
// the stream sequence; the consumer's must be one that it has given out.
func ackSubject(stream, consumer string, seq, consumerSeq uint64) string {
	return "$JS.ACK." + stream + "." + consumer + ".1." + strconv.FormatUint(seq, 10) + "." + strconv.FormatUint(consumerSeq, 10) + ".0.0"
}
