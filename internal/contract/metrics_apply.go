package contract

// Metrics of apply.
const (
	MetricApplyChanges     = "replhub_apply_changes_total"
	MetricApplyDeadLetters = "replhub_apply_dead_letters_total"
	MetricApplyUnmapped    = "replhub_apply_unmapped_total"
	MetricApplyUnavailable = "replhub_apply_database_unavailable"
	MetricApplyWaiting     = "replhub_apply_waiting"
	MetricApplyBacklog     = "replhub_apply_backlog"
	MetricApplyLag         = "replhub_apply_lag_events"
	MetricApplyOldest      = "replhub_apply_oldest_unacked_seconds"
)

// Labels of the metrics of apply.
const (
	LabelEntity  = "entity"
	LabelTable   = "table"
	LabelOutcome = "outcome"
	LabelMember  = "member"
	LabelColumn  = "column"
)

// ApplyMetrics are those of apply's own.
func ApplyMetrics() []Metric {
	total := func(name, help string, labels ...string) Metric {
		return Metric{Name: name, Counter: true, Labels: append([]string{LabelService}, labels...), Help: help}
	}
	gauge := func(name, help string) Metric { return Metric{Name: name, Labels: []string{LabelService}, Help: help} }
	return []Metric{
		total(MetricApplyChanges, "Changes that this instance has dealt with: applied, or passed because the table had them, or newer ones.", LabelEntity, LabelTable, LabelOutcome),
		total(MetricApplyDeadLetters, "Changes that this instance has made dead letters of.", LabelEntity, LabelTable),
		total(MetricApplyUnmapped, "Changes with a member that no column takes (an empty column), or without the member of a column.", LabelEntity, LabelMember, LabelColumn),
		gauge(MetricApplyUnavailable, "1 while the database is away, else 0."),
		gauge(MetricApplyWaiting, "Number of changes of this instance that wait for another row."),
		gauge(MetricApplyBacklog, "Number of copies in the lane that no instance has acknowledged."),
		gauge(MetricApplyLag, "Number of events that the hub has not processed for the service."),
		gauge(MetricApplyOldest, "Age in seconds of the oldest copy that no instance has acknowledged."),
	}
}
