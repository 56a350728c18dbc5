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
		total(MetricApplyChanges, "Number of changes that this instance handled. The label outcome is applied, or passed if the table already had the change or a newer one.", LabelEntity, LabelTable, LabelOutcome),
		total(MetricApplyDeadLetters, "Number of changes that this instance stored as dead letters.", LabelEntity, LabelTable),
		total(MetricApplyUnmapped, "Number of changes with a member that no column takes (the label column is empty), or without the member that the column takes.", LabelEntity, LabelMember, LabelColumn),
		gauge(MetricApplyUnavailable, "1 while the database is unavailable, else 0."),
		gauge(MetricApplyWaiting, "Number of changes that wait in this instance for another row."),
		gauge(MetricApplyBacklog, "Number of copies in the service's lane that no instance has acknowledged."),
		gauge(MetricApplyLag, "Number of events that the hub has not processed for the service."),
		gauge(MetricApplyOldest, "Age in seconds of the oldest copy in the service's lane that no instance has acknowledged."),
	}
}
