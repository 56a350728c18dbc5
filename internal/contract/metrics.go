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
	TroubleNewerRecord    Trouble = "newer_record"     // parked: a newer replhub wrote it
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
}

// Metrics are all of the hub's own; Go's and the process's come beside them.
func Metrics() []Metric {
	service := []string{LabelService}
	gauge := func(name, help string, labels ...string) Metric { return Metric{name, false, labels, help} }
	lane := func(name, help string) Metric { return Metric{name, false, service, help} }
	total := func(name, help string, labels ...string) Metric {
		return Metric{name, true, append([]string{LabelService}, labels...), help}
	}
	return []Metric{
		gauge(MetricBuildInfo, "1, with the version of this hub.", "version", "goversion"),
		gauge(MetricReady, "Whether this hub can dispatch."),
		gauge(MetricDegraded, "How many things do not work as they should though this hub can dispatch; /readyz names them."),
		gauge(MetricHubs, "Hubs among which lanes are shared out, this one included."),
		gauge(MetricRegistryConnected, "Whether the registry is connected.", LabelKind),
		gauge(MetricAlarms, "Registry records that were ignored, put back or refused; replhub status names them."),

		gauge(MetricIngestEpoch, "Epoch of ingest; it grows when ingest was created again or rolled back."),
		gauge(MetricIngestFirst, "First sequence that ingest holds."),
		gauge(MetricIngestLast, "Last sequence that ingest stored."),
		gauge(MetricIngestFloor, "Sequence below which ingest may have been trimmed."),
		gauge(MetricIngestMessages, "Events that ingest holds."),
		gauge(MetricIngestBytes, "Bytes that ingest holds."),
		gauge(MetricIngestMaxBytes, "Limit of ingest in bytes."),
		gauge(MetricIngestFill, "Bytes that ingest holds, as a part of its limit."),
		gauge(MetricIngestFull, "1 from 90 % of the limit on, with what keeps ingest from being trimmed, a service's lane for one; absent before.", LabelBy, LabelService),
		gauge(MetricIngestRate, "Events stored per second, over the last seconds."),

		lane(MetricLaneOwned, "Whether this hub copies into the lane."),
		gauge(MetricLaneState, "1 for the state that the lane is in, 0 for the others.", LabelService, LabelState),
		gauge(MetricLaneTrouble, "1 for a lane that is stalled, detached or parked, with the reason.", LabelService, LabelState, LabelReason),
		lane(MetricLanePosition, "Ingest sequence of the last event dealt with."),
		lane(MetricLaneLagEvents, "Events of ingest that the lane has not dealt with."),
		lane(MetricLaneLagSeconds, "Age in seconds of the oldest event that the lane has not dealt with."),
		lane(MetricLaneBacklog, "Copies that no worker has acknowledged."),
		lane(MetricLaneOldestUnacked, "Age in seconds of the oldest copy that no worker has acknowledged."),
		lane(MetricLaneMessages, "Messages in the lane's stream, acknowledged ones and state records included."),
		lane(MetricLaneStreamBytes, "Bytes in the lane's stream."),
		lane(MetricLaneMaxBytes, "Limit of the lane's stream in bytes."),
		lane(MetricLaneFillRemaining, "Events that the fill under way has before it; absent without one."),
		lane(MetricLaneFillRatio, "How far the fill under way has come; absent without one."),
		lane(MetricLaneSnapshotRows, "Rows dealt with of the snapshots under way; absent without one."),
		lane(MetricLaneSnapshotStalled, "Snapshots under way that wait for their owner; absent without one."),
		lane(MetricLaneDeadLetters, "Dead letters of the service that are stored."),
		lane(MetricLaneUnavailable, "Instances of the service that wait because something which their handlers need is away; describe names them."),

		total(MetricLaneCopies, "Copies that this hub stored in the lane, each counted once."),
		total(MetricLaneCopiedBytes, "Bytes of the copies that this hub stored in the lane, with their headers."),
		total(MetricLaneAppends, "Appends of copies by this hub, by kind: single, atomic or fast.", LabelKind),
		total(MetricLaneStateRecords, "State records appended by this hub."),
		total(MetricLaneFenced, "Appends of this hub that another writer forestalled."),
		total(MetricLaneRetries, "Other steps that this hub had to try again."),
		total(MetricLaneForeign, "Messages found in the lane that the hub did not write."),
		total(MetricLaneDeadLettered, "Dead letters that this hub stored, each counted once, of events that it could not filter, project or copy."),
	}
}

// LaneStates are the states that a lane can be in.
func LaneStates() []string {
	return []string{LaneLive, LaneBehind, LaneFilling, LaneStalled, LaneDetached, LaneParked}
}
