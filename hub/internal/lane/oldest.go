package lane

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/lane/record"
)

// Oldest returns the time of the oldest copy that a lane's consumers have not
// acknowledged: when ingest stored its event, or when the copy was redriven. found is
// false when there is no such copy.
//
// A consumer is judged by its own filter: the message behind its ack floor may be
// another partition's, or a state record.
func Oldest(ctx context.Context, stream jetstream.Stream, consumers map[string]*jetstream.ConsumerInfo) (oldest time.Time, found bool, err error) {
	for _, c := range consumers {
		if c.NumPending == 0 && c.NumAckPending == 0 {
			continue
		}
		at, ok, err := firstUnacked(ctx, stream, c)
		if err != nil {
			return time.Time{}, false, err
		}
		if ok && (!found || at.Before(oldest)) {
			oldest, found = at, true
		}
	}
	return oldest, found, nil
}

// firstUnacked is the time of the first copy behind a consumer's ack floor.
func firstUnacked(ctx context.Context, stream jetstream.Stream, c *jetstream.ConsumerInfo) (time.Time, bool, error) {
	// A consumer that starts in the middle has an ack floor of 0 at first.
	from := max(c.AckFloor.Stream+1, c.Config.OptStartSeq)
	m, err := stream.GetMsg(ctx, from, jetstream.WithGetMsgSubject(c.Config.FilterSubject))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return time.Time{}, false, nil
	}
	if err != nil {
		return time.Time{}, false, fmt.Errorf("read the first copy that %s has not acknowledged: %w", c.Name, err)
	}
	if mark, ok := record.CopyMark(m.Header); ok {
		return mark.Time, true, nil
	}
	return m.Time, true, nil
}
