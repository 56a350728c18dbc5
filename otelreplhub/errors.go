package otelreplhub

import (
	"errors"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/internal/contract"
)

// panicked is the error of a handler that did not return.
type panicked struct{}

func (panicked) Error() string { return "the handler panicked" }

// ErrorType is the error's type in spans and metrics.
func (panicked) ErrorType() string { return "panic" }

var errPanicked error = panicked{}

// sentinels are errors of the SDK by the words that tell them apart. Their types would
// not.
var sentinels = []struct {
	err  error
	word string
}{
	{replhub.ErrInvalidEvent, "invalid_event"},
	{replhub.ErrTooLarge, "too_large"},
	{replhub.ErrIngestFull, "ingest_full"},
	{replhub.ErrNoHub, "no_hub"},
	{replhub.ErrDenied, "denied"},
	{replhub.ErrClosed, "closed"},
	{replhub.ErrUnknownOutcome, "unknown_outcome"},
	{replhub.ErrUnavailable, "unavailable"},
}

// errorType is the attribute error.type: a word for errors of the SDK, the Go type for
// others. It has no text of the error.
func errorType(err error) attribute.KeyValue {
	for _, s := range sentinels {
		if errors.Is(err, s.err) {
			return semconv.ErrorTypeKey.String(s.word)
		}
	}
	return semconv.ErrorType(err)
}

// statusOf is the status of a span that failed.
func statusOf(err error, text bool) (codes.Code, string) {
	if text {
		return codes.Error, err.Error()
	}
	return codes.Error, errorType(err).Value.AsString()
}

// positionOf is "<epoch>-<seq>".
func positionOf(d *replhub.Delivery) string {
	return strconv.FormatUint(d.Position.Epoch, 10) + "-" + strconv.FormatUint(d.Position.Seq, 10)
}

// redriven is how often the delivery came back from the dead letters.
func redriven(d *replhub.Delivery) int {
	values := d.Header[contract.HeaderRedriven]
	if len(values) == 0 {
		return 0
	}
	n, err := strconv.Atoi(values[0])
	if err != nil {
		return 0 // the hub writes numbers alone
	}
	return n
}
