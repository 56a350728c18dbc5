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
		{Name: MetricPushRequests, Counter: true, Labels: []string{LabelCode}, Help: "Number of requests to the endpoint. The label code is the class of the answer: 2xx, 3xx, 4xx, 429, 5xx, other, timeout or none."},
		{
			Name: MetricPushSeconds, Help: "Seconds from the start of a request to the end of its answer.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 15, 30},
		},
		{Name: MetricPushRepeated, Counter: true, Help: "Number of requests that repeated an earlier request for the same event."},
		{Name: MetricPushDeadLetters, Counter: true, Help: "Number of events that this process stored as dead letters."},
		{Name: MetricPushUnavailable, Help: "1 during an outage of the endpoint, in which one event at a time is tried; else 0."},
		{Name: MetricPushWait, Help: "Seconds until the end of the wait that the endpoint requested by Retry-After. 0 without a wait."},
		{Name: MetricPushGone, Help: "1 from an answer 410 of the endpoint until the endpoint acknowledges an event again; else 0."},
	}
}
