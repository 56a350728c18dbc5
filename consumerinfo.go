package replhub

import (
	"context"
	"errors"
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

// schedulerInfo is the part of a consumer's state that the scheduler needs; nil where
// no answer came.
func schedulerInfo(info *jetstream.ConsumerInfo, err error) *queue.Info {
	if errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrStreamNotFound) {
		return &queue.Info{Gone: true}
	}
	if err != nil {
		return nil
	}
	return &queue.Info{
		Created: info.Created, AckFloor: info.AckFloor.Stream, Start: info.Config.OptStartSeq,
		Delivered: info.Delivered.Stream, DeliveredSeq: info.Delivered.Consumer,
		Unacknowledged: info.NumAckPending, MaxUnacknowledged: info.Config.MaxAckPending, Undelivered: info.NumPending,
	}
}

// ackSubject is the subject for an acknowledgement of a delivery. The server
// identifies the delivery by the stream sequence. The consumer sequence must be one
// that the consumer has given out.
func ackSubject(stream, consumer string, seq, consumerSeq uint64) string {
	return "$JS.ACK." + stream + "." + consumer + ".1." + strconv.FormatUint(seq, 10) + "." + strconv.FormatUint(consumerSeq, 10) + ".0.0"
}
