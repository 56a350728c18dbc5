package lane

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/nats-io/nats.go/jetstream"
)

// A lane is trimmed, and its queue changed, by what its consumers have dealt with.
// The server's counts do not tell that: it raises num_pending after it has
// acknowledged an append, and a consumer's leader may lag behind the stream's. Only
// what stays true however late the answer comes counts: a consumer's ack floor, or
// where it stands still (standing.go), and that no message which matches its filter
// lies behind that.

// provenFloor is the sequence of a lane up to which a consumer needs nothing, as far
// as can be proven. floor is where the consumer stands, of any age. last is the lane's last
// sequence, and match the sequence of the last message that matched the consumer's
// filter, read after last was; 0 when none does.
func provenFloor(floor, match, last uint64) uint64 {
	if match <= floor {
		return last // nothing between the two is the consumer's
	}
	return min(floor, last)
}

// lowestFloor is the lowest proven floor of a lane's consumers, last when there are
// none. last is the lane's last sequence as the stream's leader has said it before,
// floors are what the consumers are known to have dealt with, by name.
func lowestFloor(ctx context.Context, stream jetstream.Stream, last uint64, consumers map[string]*jetstream.ConsumerInfo, floors map[string]uint64) (uint64, error) {
	ascending := slices.SortedFunc(maps.Keys(consumers), func(a, b string) int { return cmp.Compare(floors[a], floors[b]) })
	lowest := last
	for _, name := range ascending {
		if floors[name] >= lowest {
			break // nor do the others lower it
		}
		floor, err := floorOf(ctx, stream, last, consumers[name].Config, floors[name])
		if err != nil {
			return 0, err
		}
		lowest = min(lowest, floor)
	}
	return lowest, nil
}

// floorOf is the proven floor of one consumer, which has dealt with what its filter
// lets through up to floor.
func floorOf(ctx context.Context, stream jetstream.Stream, last uint64, cfg jetstream.ConsumerConfig, floor uint64) (uint64, error) {
	match, err := lastMatch(ctx, stream, last, cfg)
	if err != nil {
		return 0, err
	}
	return provenFloor(floor, match, last), nil
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
