package lane

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/lane/history"
)

// lowestFloor is the lowest proven floor of a lane's consumers, or last without
// consumers. last is the lane's last sequence, read from the stream's leader before;
// floors are the consumers' known floors, by name.
func lowestFloor(ctx context.Context, stream jetstream.Stream, last uint64, consumers map[string]*jetstream.ConsumerInfo, floors map[string]uint64) (uint64, error) {
	lowest := history.NewLowest(last, floors)
	for {
		name, more := lowest.Next()
		if !more {
			return lowest.Floor(), nil
		}
		match, err := lastMatch(ctx, stream, last, consumers[name].Config)
		if err != nil {
			return 0, err
		}
		lowest.Match(match)
	}
}

// lastMatch asks the stream's leader for the sequence of the last message that a
// consumer's filter lets through; 0 when there is none.
func lastMatch(ctx context.Context, stream jetstream.Stream, last uint64, cfg jetstream.ConsumerConfig) (uint64, error) {
	filters := cfg.FilterSubjects
	if cfg.FilterSubject != "" {
		filters = []string{cfg.FilterSubject}
	}
	if len(filters) == 0 {
		return last, nil
	}
	var match uint64
	for _, filter := range filters {
		m, err := stream.GetLastMsgForSubject(ctx, filter)
		switch {
		case errors.Is(err, jetstream.ErrMsgNotFound):
		case err != nil:
			return 0, fmt.Errorf("read the last message of %s in %s: %w", filter, stream.CachedInfo().Config.Name, err)
		default:
			match = max(match, m.Sequence)
		}
	}
	return match, nil
}
