package contract

// The metrics of replhub push, since its process started.
const (
	MetricPushRequests    = "replhub_push_requests_total"
	MetricPushSeconds     = "replhub_push_request_seconds"
	MetricPushRepeated    = "replhub_push_repeated_total"
	MetricPushDeadLetters = "replhub_push_dead_letters_total"
	MetricPushUnavailable = "replhub_push_unavailable"
	MetricPushWait        = "replhub_push_wait_seconds"
	MetricPushGone        = "replhub_push_gone"
)

// LabelCode is the class of an endpoint's answer: a PushCode.
const LabelCode = "code"

// The values of LabelCode.
const (
	PushCode2xx     = "2xx"
	PushCode3xx     = "3xx"
	PushCode4xx     = "4xx"
	PushCode429     = "429" // not counted as 4xx
	PushCode5xx     = "5xx"
	PushCodeOther   = "other"
	PushCodeTimeout = "timeout" // no answer in time
	PushCodeNone    = "none"    // no answer for another reason
)

// PushMetrics are those of replhub push; Go's and the process's come beside them.
func PushMetrics() []Metric {
	return []Metric{
		{Name: MetricPushRequests, Counter: true, Labels: []string{LabelCode}, Help: "Number of requests by the class of the answer: 2xx, 3xx, 4xx, 429, 5xx, other, timeout or none."},
		{
			Name: MetricPushSeconds, Help: "Seconds from a request to the end of its answer.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 15, 30},
		},
		{Name: MetricPushRepeated, Counter: true, Help: "Number of requests for an event that had one before."},
		{Name: MetricPushDeadLetters, Counter: true, Help: "Number of events that became dead letters."},
		{Name: MetricPushUnavailable, Help: "1 while the endpoint is away and one event at a time is tried, else 0."},
		{Name: MetricPushWait, Help: "Seconds until the wait is over that the endpoint asked for by Retry-After; 0 without such a wait."},
		{Name: MetricPushGone, Help: "1 after the endpoint answered 410, until it acknowledges an event again, else 0."},
	}
}
