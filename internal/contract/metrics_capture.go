package contract

// The metrics of replhub capture, since its process started.
const (
	MetricCaptureEvents       = "replhub_capture_events_total"
	MetricCaptureBytes        = "replhub_capture_bytes_total"
	MetricCaptureTransactions = "replhub_capture_transactions_total"
	MetricCaptureLookups      = "replhub_capture_lookups_total"
	MetricCaptureSuperseded   = "replhub_capture_superseded_total"
	MetricCaptureSkipped      = "replhub_capture_skipped_total"
	MetricCaptureTruncates    = "replhub_capture_truncates_total"
	MetricCaptureRefused      = "replhub_capture_refused_total"
	MetricCaptureSessions     = "replhub_capture_sessions_total"
	MetricCaptureState        = "replhub_capture_state"
	MetricCaptureLag          = "replhub_capture_unconfirmed_bytes"
	MetricCaptureDegraded     = "replhub_capture_degraded_reasons"
)

// CaptureStates are the values of LabelState of MetricCaptureState.
func CaptureStates() []string {
	return []string{"starting", "standby", "capturing", "waiting", "stopped"}
}

// CaptureMetrics are those of replhub capture; Go's and the process's come beside them.
func CaptureMetrics() []Metric {
	return []Metric{
		{Name: MetricCaptureEvents, Counter: true, Help: "Number of events that this process stored in ingest."},
		{Name: MetricCaptureBytes, Counter: true, Help: "Bytes of the payloads of the events that this process stored in ingest."},
		{Name: MetricCaptureTransactions, Counter: true, Help: "Number of transactions with changes of captured tables."},
		{Name: MetricCaptureLookups, Counter: true, Help: "Number of reads of large values (TOAST) that the database's log leaves out."},
		{Name: MetricCaptureSuperseded, Counter: true, Help: "Number of changes that were not published because a large value could not be read: the row no longer existed. The delete of the row follows."},
		{Name: MetricCaptureSkipped, Counter: true, Help: "Number of changes that the database sent again and that ingest already had."},
		{Name: MetricCaptureTruncates, Counter: true, Help: "Number of truncations of captured tables."},
		{Name: MetricCaptureRefused, Counter: true, Help: "Number of messages in the database's log (pg_logical_emit_message) that are not valid events."},
		{Name: MetricCaptureSessions, Counter: true, Help: "Number of times that this process connected to the replication slot."},
		{Name: MetricCaptureState, Labels: []string{LabelState}, Help: "1 for the present state of the capture, 0 for the other states. The label state is starting, standby, capturing, waiting or stopped."},
		{Name: MetricCaptureLag, Help: "Bytes of the database's log after the confirmed position of the slot, by the last message of the server."},
		{Name: MetricCaptureDegraded, Help: "Number of faults that /readyz of this process names in degraded."},
	}
}
