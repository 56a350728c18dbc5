package contract

// The metrics of /metrics. Each hub reports the gauges of the lanes that it
// owns, so that their sum over all hubs counts every lane once, and the
// counters of whatever it did since it started.
const (
	MetricBuildInfo         = "replhub_build_info"
	MetricReady             = "replhub_ready"
	MetricDegraded          = "replhub_degraded_reasons"
	MetricHubs              = "replhub_hubs"
	MetricRegistryConnected = "replhub_registry_connected"
	MetricAlarms            = "replhub_alarms"

	MetricIngestEpoch    = "replhub_ingest_epoch"
	MetricIngestFirst    = "replhub_ingest_first_seq"
	MetricIngestLast     = "replhub_ingest_last_seq"
	MetricIngestFloor    = "replhub_ingest_floor_seq"
	MetricIngestMessages = "replhub_ingest_messages"
	MetricIngestBytes    = "replhub_ingest_bytes"
	MetricIngestMaxBytes = "replhub_ingest_max_bytes"
	MetricIngestFill     = "replhub_ingest_fill_ratio"
	MetricIngestFull     = "replhub_ingest_full"
	MetricIngestRate     = "replhub_ingest_events_per_second"

	MetricLaneOwned         = "replhub_lane_owned"
	MetricLaneState         = "replhub_lane_state"
	MetricLaneTrouble       = "replhub_lane_trouble"
	MetricLanePosition      = "replhub_lane_position_seq"
	MetricLaneLagEvents     = "replhub_lane_lag_events"
	MetricLaneLagSeconds    = "replhub_lane_lag_seconds"
	MetricLaneBacklog       = "replhub_lane_backlog_events"
	MetricLaneOldestUnacked = "replhub_lane_oldest_unacked_seconds"
	MetricLaneMessages      = "replhub_lane_stream_messages"
	MetricLaneStreamBytes   = "replhub_lane_stream_bytes"
	MetricLaneMaxBytes      = "replhub_lane_max_bytes"
	MetricLaneFillRemaining = "replhub_lane_fill_remaining_events"
	MetricLaneFillRatio     = "replhub_lane_fill_ratio"
	MetricLaneDeadLetters   = "replhub_lane_dead_letters"
	MetricLaneUnavailable   = "replhub_lane_unavailable_instances"

	MetricLaneCopies       = "replhub_lane_copies_total"
	MetricLaneCopiedBytes  = "replhub_lane_copied_bytes_total"
	MetricLaneAppends      = "replhub_lane_appends_total"
	MetricLaneStateRecords = "replhub_lane_state_records_total"
	MetricLaneFenced       = "replhub_lane_fenced_total"
	MetricLaneRetries      = "replhub_lane_retries_total"
	MetricLaneForeign      = "replhub_lane_foreign_total"
	MetricLaneDeadLettered = "replhub_lane_dead_lettered_total"
)

// Labels of the metrics.
const (
	LabelService = "service"
	LabelState   = "state"  // one of the lane states
	LabelReason  = "reason" // one of the Trouble constants
	LabelKind    = "kind"
	LabelBy      = "by" // one of the FullBy constants
)

// Trouble is the class of what is wrong with a lane, a value of LabelReason.
// describe has the words.
type Trouble string

// The classes of trouble.
const (
	TroubleLaneFull       Trouble = "lane_full"        // stalled: workers must acknowledge, or max_bytes grow
	TroubleLettersFull    Trouble = "dlq_full"         // stalled: redrive or remove dead letters
	TroubleIngestFull     Trouble = "ingest_full"      // detached: it pinned a full ingest
	TroubleTrimmed        Trouble = "trimmed"          // detached: events that it needed are gone
	TroubleNewerRecord    Trouble = "newer_record"     // incompatible: a newer replhub wrote it
	TroubleDisk           Trouble = "disk"             // stalled: nats-server cannot write to its disk; restart it
	TroubleNotReachable   Trouble = "unreachable"      // stalled: NATS does not answer
	TroubleRecordTooLarge Trouble = "record_too_large" // stalled: its state record does not fit max_payload
	TroubleOther          Trouble = "other"
)

// Metric describes one metric, for /metrics itself and for documentation.
type Metric struct {
	Name string
	// Counter is whether it only grows while a hub runs; else it is a gauge.
	Counter bool
	Labels  []string
	Help    string
	// Buckets are the upper bounds of a histogram; nil for any other metric.
	Buckets []float64
}

// Metrics are all of the hub's own; Go's and the process's come beside them.
func Metrics() []Metric {
	service := []string{LabelService}
	gauge := func(name, help string, labels ...string) Metric {
		return Metric{Name: name, Labels: labels, Help: help}
	}
	lane := func(name, help string) Metric { return Metric{Name: name, Labels: service, Help: help} }
	total := func(name, help string, labels ...string) Metric {
		return Metric{Name: name, Counter: true, Labels: append([]string{LabelService}, labels...), Help: help}
	}
	return []Metric{
		gauge(MetricBuildInfo, "Always 1. The labels name the version of this hub.", "version", "goversion"),
		gauge(MetricReady, "1 if this hub can dispatch events, else 0."),
		gauge(MetricDegraded, "Number of faults that do not stop this hub from dispatching. /readyz names them."),
		gauge(MetricHubs, "Number of live hubs that share the lanes, this one included."),
		gauge(MetricRegistryConnected, "1 if this hub is connected to the registry, else 0.", LabelKind),
		gauge(MetricAlarms, "Number of registry records that the hub ignored, put back or refused. replhub status names them."),

		gauge(MetricIngestEpoch, "Epoch of ingest. It grows when ingest was created again or rolled back."),
		gauge(MetricIngestFirst, "Lowest sequence that ingest holds."),
		gauge(MetricIngestLast, "Highest sequence that ingest stored."),
		gauge(MetricIngestFloor, "Sequence below which the hub may have trimmed ingest."),
		gauge(MetricIngestMessages, "Number of events that ingest holds."),
		gauge(MetricIngestBytes, "Bytes that ingest holds."),
		gauge(MetricIngestMaxBytes, "Limit of ingest in bytes."),
		gauge(MetricIngestFill, "Bytes that ingest holds, divided by its limit."),
		gauge(MetricIngestFull, "1 while ingest holds 90 % of its limit or more. The labels name the cause that keeps ingest from being trimmed. Absent below 90 %.", LabelBy, LabelService),
		gauge(MetricIngestRate, "Events per second that ingest stored, averaged over the last seconds."),

		lane(MetricLaneOwned, "1 if this hub copies events into the lane, else 0."),
		gauge(MetricLaneState, "1 for the lane's present state, 0 for the other states.", LabelService, LabelState),
		gauge(MetricLaneTrouble, "1 while the lane is stalled, detached or incompatible. The label reason says why.", LabelService, LabelState, LabelReason),
		lane(MetricLanePosition, "Ingest sequence of the last event that the lane processed."),
		lane(MetricLaneLagEvents, "Number of ingest events that the lane has not processed."),
		lane(MetricLaneLagSeconds, "Age in seconds of the oldest event that the lane has not processed."),
		lane(MetricLaneBacklog, "Number of copies in the lane that no worker has acknowledged."),
		lane(MetricLaneOldestUnacked, "Age in seconds of the oldest copy that no worker has acknowledged."),
		lane(MetricLaneMessages, "Number of messages in the lane's stream, including acknowledged copies and state records."),
		lane(MetricLaneStreamBytes, "Bytes in the lane's stream."),
		lane(MetricLaneMaxBytes, "Limit of the lane's stream in bytes."),
		lane(MetricLaneFillRemaining, "Number of events that the running fill has not copied yet. Absent without a running fill."),
		lane(MetricLaneFillRatio, "Progress of the running fill, 0 to 1. Absent without a running fill."),
		lane(MetricLaneSnapshotRows, "Number of rows processed in the running snapshots. Absent without a running snapshot."),
		lane(MetricLaneSnapshotStalled, "Number of running snapshots that wait for their owner. Absent without a running snapshot."),
		lane(MetricLaneDeadLetters, "Number of stored dead letters of the service."),
		lane(MetricLaneUnavailable, "Number of the service's instances that report an outage of something that their handlers need. describe names them."),

		total(MetricLaneCopies, "Number of copies that this hub stored in the lane. Each copy counts once."),
		total(MetricLaneCopiedBytes, "Bytes of the copies that this hub stored in the lane, headers included."),
		total(MetricLaneAppends, "Number of appends of copies by this hub. The label kind is single, atomic or fast.", LabelKind),
		total(MetricLaneStateRecords, "Number of state records that this hub appended to the lane."),
		total(MetricLaneFenced, "Number of this hub's appends that failed because another writer had appended first."),
		total(MetricLaneRetries, "Number of steps of the lane that this hub repeated after an error. Appends that another writer preceded do not count."),
		total(MetricLaneForeign, "Number of messages in the lane that no hub wrote."),
		total(MetricLaneDeadLettered, "Number of dead letters that this hub stored for events that it could not filter, project or copy. Each dead letter counts once."),
	}
}

// LaneStates are the states that a lane can be in.
func LaneStates() []string {
	return []string{LaneLive, LaneBehind, LaneFilling, LaneStalled, LaneDetached, LaneIncompatible}
}
