package deadletter

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// Subjects of the server's advisories, each followed by ".<stream>.<consumer>".
// They name any stream of the account: a wildcard cannot stand for a part of a
// name, so others' advisories come along and are acknowledged unread.
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

// maxAdvisories bounds those of one consumer and kind, so that the advisories of a
// service over its quota of dead letters leave room for the others'.
const maxAdvisories = 10_000

// advisoriesConfig: a work queue, so that what is settled takes no room and
// what the stream holds is exactly what is not. A full one refuses the new; the
// old are never pushed out.
func (q *Queue) advisoriesConfig() jetstream.StreamConfig {
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
		Replicas:             q.cfg.Replicas,
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
