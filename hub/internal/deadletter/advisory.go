package deadletter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/hubstream"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// Subjects of the server's advisories, each followed by ".<stream>.<consumer>".
// They cover every stream of the account, because a wildcard cannot stand for a part of a
// name. Advisories of streams that are no lanes are acknowledged unread.
const (
	advisoryPrefix     = "$JS.EVENT.ADVISORY.CONSUMER."
	exhaustedSubjects  = advisoryPrefix + "MAX_DELIVERIES.>"
	terminatedSubjects = advisoryPrefix + "MSG_TERMINATED.>"
	terminatedKind     = "MSG_TERMINATED"
	// deletedReason is the server's reason for terminating the delivery of a message that
	// was deleted (nats-server 2.15.2, consumer.go, ackTermUnackedLimitsReason).
	deletedReason = "Unacknowledged message was deleted"
)

// advisoriesMaxBytes bounds the unsettled advisories, about 150,000. An
// exhausted delivery whose advisory finds no room is found by the audit.
const advisoriesMaxBytes = 64 << 20

// maxAdvisories bounds the advisories of one consumer and kind. So a service over its
// quota of dead letters leaves room for the advisories of other services.
const maxAdvisories = 10_000

// advisories is the stream of failed deliveries whose letter is not stored yet.
type advisories struct{ stream *hubstream.Kept }

// advisoriesConfig is that of a work queue: the stream holds exactly the advisories that
// are not settled. A full stream refuses new advisories, and keeps the old ones.
func (c Config) advisoriesConfig() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:        contract.StreamAdvisories,
		Description: "replhub: failed deliveries whose dead letter is not stored yet",
		Subjects:    []string{exhaustedSubjects, terminatedSubjects},
		Retention:   jetstream.WorkQueuePolicy,
		Discard:     jetstream.DiscardNew,
		MaxMsgs:     -1,

		MaxMsgsPerSubject:    maxAdvisories,
		DiscardNewPerSubject: true,
		MaxBytes:             advisoriesMaxBytes,
		Storage:              jetstream.FileStorage,
		Replicas:             c.Replicas,
	}
}

// advisory is the server's message about an exhausted or terminated delivery.
type advisory struct {
	Time       time.Time `json:"timestamp"`
	Stream     string    `json:"stream"`
	Consumer   string    `json:"consumer"`
	StreamSeq  uint64    `json:"stream_seq"`
	Deliveries uint64    `json:"deliveries"`
	Reason     string    `json:"reason"`
}

// decodeAdvisory returns the failed delivery of an advisory; ours is false for a
// stream or consumer that is not a lane's.
func decodeAdvisory(subject string, data []byte) (f failed, service subjects.Name, ours bool, err error) {
	kind, rest, _ := strings.Cut(strings.TrimPrefix(subject, advisoryPrefix), ".")
	stream, consumer, _ := strings.Cut(rest, ".")
	service, ok := subjects.ParseLaneStream(stream)
	if !ok || !lane.IsWorkers(consumer) {
		return failed{}, service, false, nil
	}
	var a advisory
	if err := json.Unmarshal(data, &a); err != nil {
		return failed{}, service, true, fmt.Errorf("decode an advisory of %s: %w", subject, err)
	}
	f = failed{stream: stream, consumer: consumer, seq: a.StreamSeq, attempts: a.Deliveries, at: a.Time}
	if kind == terminatedKind {
		f.reason, f.text = contract.ReasonParked, a.Reason
		if f.text == "" {
			f.text = "a worker terminated the delivery"
		}
		return f, service, true, nil
	}
	f.reason, f.text = contract.ReasonMaxDeliver, exhaustedText(a.Deliveries)
	return f, service, true, nil
}

func exhaustedText(deliveries uint64) string {
	return fmt.Sprintf("not acknowledged within %d deliveries (max_deliver)", deliveries)
}

// waiting counts the advisories of a service's lane.
func (a *advisories) waiting(ctx context.Context, service subjects.Name) (uint64, error) {
	return count(ctx, a.stream, unsettledFilter(service))
}

// maxUnsettled is how many advisories of a service Hold looks through. Where
// there are more the whole lane is held.
const maxUnsettled = 256

// Unsettled is the lowest sequence of a lane of which the server has reported that a
// delivery failed, without its letter being stored yet; the largest number there is when
// there is none. Unlike Hold it goes by reports alone.
func (a *advisories) Unsettled(ctx context.Context, service subjects.Name) (uint64, error) {
	lowest := uint64(nothingHeld)
	filter := unsettledFilter(service)
	from := uint64(1)
	for range maxUnsettled {
		m, err := message(ctx, a.stream, from, jetstream.WithGetMsgSubject(filter))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return lowest, nil
		}
		if err != nil {
			return 0, fmt.Errorf("read the advisories of %s: %w", service, err)
		}
		f, _, ours, err := decodeAdvisory(m.Subject, m.Data)
		if ours && err == nil {
			lowest = min(lowest, f.seq)
		}
		from = m.Sequence + 1
	}
	return 0, nil
}

func unsettledFilter(service subjects.Name) string {
	return advisoryPrefix + "*." + subjects.LaneStream(service) + ".*"
}
