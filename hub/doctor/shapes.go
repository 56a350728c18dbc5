package doctor

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/hubstream"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// shape is what the hub makes a stream like, as far as guarantees hang on it. A real hub's
// streams have these shapes: TestHealthy compares them.
type shape struct {
	name string
	// subjects are those that the stream takes; nil leaves them to the stream's maker.
	subjects  []string
	retention jetstream.RetentionPolicy
	discard   jetstream.DiscardPolicy
	// aged says that the hub gives messages an age of its own.
	aged bool
	// unmarked says that the stream has no metadata of the hub's: the client library
	// makes it.
	unmarked bool
	atomic   bool
}

// shapes are those of the streams that all services share.
func shapes() []shape {
	advisory := func(kind string) string { return "$JS.EVENT.ADVISORY.CONSUMER." + kind + ".>" }
	return []shape{
		{name: contract.StreamIngest, subjects: subjects.IngestSubjects(), discard: jetstream.DiscardNew, atomic: true},
		{name: contract.StreamDLQ, subjects: []string{"dlq.>"}, discard: jetstream.DiscardNew},
		{name: contract.StreamLedger, subjects: []string{"replhub._ledger"}, discard: jetstream.DiscardOld},
		{name: contract.StreamMembers, subjects: []string{"replhub._members.*"}, discard: jetstream.DiscardOld},
		{name: contract.StreamAdvisories, subjects: []string{advisory("MAX_DELIVERIES"), advisory("MSG_TERMINATED")}, retention: jetstream.WorkQueuePolicy, discard: jetstream.DiscardNew},
		{name: bucketStream, subjects: []string{"$KV." + contract.BucketRegistry + ".>"}, discard: jetstream.DiscardNew, aged: true, unmarked: true},
	}
}

// bucketStream is the stream of the registry's bucket.
const bucketStream = "KV_" + contract.BucketRegistry

// shapeOf is the shape of a stream that has one of the hub's names.
func shapeOf(stream string) (s shape, shared bool) {
	all := shapes()
	if i := slices.IndexFunc(all, func(s shape) bool { return s.name == stream }); i >= 0 {
		return all[i], true
	}
	return shape{}, false
}

// laneShape is the shape of a service's lane.
func laneShape(service subjects.Name) shape {
	return shape{name: subjects.LaneStream(service), subjects: []string{subjects.LaneSubjects(service)}, discard: jetstream.DiscardNew, atomic: true}
}

// marked reports whether a stream is the hub's.
func (s shape) marked(cfg jetstream.StreamConfig) bool { return s.unmarked || hubstream.Is(cfg) }

// differences says in what a stream differs from its shape, with what to do. The serious
// ones break a guarantee.
func (s shape) differences(cfg *jetstream.StreamConfig) (serious, slight []string) {
	note := func(list *[]string, wrong bool, format string, args ...any) {
		if wrong {
			*list = append(*list, fmt.Sprintf(format, args...))
		}
	}
	note(&serious, cfg.Mirror != nil, "it is a mirror")
	note(&serious, cfg.Mirror == nil && s.subjects != nil && !sameSet(s.subjects, cfg.Subjects), "its subjects are %s in place of %s", strings.Join(cfg.Subjects, " "), strings.Join(s.subjects, " "))
	note(&serious, cfg.Retention != s.retention, "its retention is %s in place of %s", cfg.Retention, s.retention)
	note(&serious, cfg.Discard != s.discard, "when it is full it discards %s messages (discard %s) in place of %s", older(cfg.Discard), cfg.Discard, s.discard)
	note(&serious, cfg.MaxAge > 0 && !s.aged, "it loses messages by age (max_age %s)", cfg.MaxAge)
	note(&serious, cfg.MaxMsgs > 0, "it is limited to %d messages", cfg.MaxMsgs)
	note(&serious, cfg.MaxMsgSize > 0, "it refuses messages above %d bytes", cfg.MaxMsgSize)
	note(&serious, cfg.Storage != jetstream.FileStorage, "it is stored in memory")
	note(&serious, cfg.NoAck, "it does not acknowledge (no_ack)")
	note(&serious, cfg.Sealed, "it is sealed: it takes no message any more")
	note(&serious, cfg.DenyPurge, "it cannot be trimmed (deny_purge)")
	note(&serious, s.atomic && !cfg.AllowAtomicPublish, "it takes no atomic batches")
	note(&serious, cfg.SubjectTransform != nil, "it transforms subjects")
	note(&slight, cfg.DenyDelete && !s.unmarked, "events cannot be erased from it (deny_delete, of an earlier version)")
	return serious, slight
}

func older(d jetstream.DiscardPolicy) string {
	if d == jetstream.DiscardOld {
		return "old"
	}
	return "new"
}

func sameSet(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}
