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
	MetricCaptureLeftOut      = "replhub_capture_left_out_total"
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
		{Name: MetricCaptureEvents, Counter: true, Help: "Number of events stored in ingest."},
		{Name: MetricCaptureBytes, Counter: true, Help: "Number of bytes of these events' payloads."},
		{Name: MetricCaptureTransactions, Counter: true, Help: "Number of transactions with changes of captured tables."},
		{Name: MetricCaptureLookups, Counter: true, Help: "Number of reads of large values (TOAST) that the log leaves out."},
		{Name: MetricCaptureSuperseded, Counter: true, Help: "Number of changes that were left out because their row no longer existed and a large value could not be read; the row's delete follows."},
		{Name: MetricCaptureSkipped, Counter: true, Help: "Number of changes that came again and were stored already."},
		{Name: MetricCaptureTruncates, Counter: true, Help: "Number of tables that were truncated."},
		{Name: MetricCaptureRefused, Counter: true, Help: "Number of messages in the log that are no valid events."},
		{Name: MetricCaptureLeftOut, Counter: true, Help: "Number of changes that were left out because they cannot be events, such as rows whose key is none."},
		{Name: MetricCaptureSessions, Counter: true, Help: "Number of connections to the slot."},
		{Name: MetricCaptureState, Labels: []string{LabelState}, Help: "1 for the present state: starting, standby, capturing, waiting or stopped; else 0."},
		{Name: MetricCaptureLag, Help: "Bytes of the server's log behind the confirmed place of the slot, as far as the server has told."},
		{Name: MetricCaptureDegraded, Help: "Number of reasons in degraded of /readyz."},
	}
}
