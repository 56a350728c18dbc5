package otelreplhub

import (
	"errors"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
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

// word is an error of the SDK in a word, which tells it apart as its type would not;
// empty for other errors.
func word(err error) string {
	switch {
	case errors.Is(err, replhub.ErrInvalidEvent):
		return "invalid_event"
	case errors.Is(err, replhub.ErrTooLarge):
		return "too_large"
	case errors.Is(err, replhub.ErrIngestFull):
		return "ingest_full"
	case errors.Is(err, replhub.ErrNoHub):
		return "no_hub"
	case errors.Is(err, replhub.ErrDenied):
		return "denied"
	case errors.Is(err, replhub.ErrClosed):
		return "closed"
	case errors.Is(err, replhub.ErrUnknownOutcome):
		return "unknown_outcome"
	case errors.Is(err, replhub.ErrUnavailable):
		return "unavailable"
	}
	return ""
}

// errorType is the attribute error.type: a word for errors of the SDK, the Go type for
// others. It has no text of the error.
func errorType(err error) attribute.KeyValue {
	if known := word(err); known != "" {
		return semconv.ErrorTypeKey.String(known)
	}
	return semconv.ErrorType(err)
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
