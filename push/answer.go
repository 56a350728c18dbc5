package push

import (
	"crypto/x509"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// meaning is what an answer says of the event and of the endpoint.
type meaning int

const (
	// delivered acknowledges the event.
	delivered meaning = iota
	// later is a wait that the endpoint asks for. It is about the endpoint: all events
	// wait, and none uses up an attempt.
	later
	// away is an endpoint that cannot be reached, fails, or is not the one that it
	// should be: a wrong URL, a secret that it does not know. As long as every event gets
	// such an answer, no event is at fault: the subscriber waits and tries one event at a
	// time. An event that gets it while others of its entity are delivered is at fault,
	// and becomes a dead letter after MaxAttempts.
	away
	// refused is an event that the endpoint does not take: a dead letter at once.
	refused
	// gone is an endpoint that wants no more events: the service is paused.
	gone
)

// codes is what each status means that is not like its class: 2xx is delivered, 3xx and
// 5xx are away, 4xx is refused. 401, 403, 404 and the like are answers to the request
// rather than to the event: the same URL, method and secret are sent for every event, so
// as a rule all events get such an answer. A dead letter for each would empty the lane
// into the stream of dead letters because of one wrong setting.
var codes = map[int]meaning{ //nolint:gochecknoglobals // a constant table, were there one
	http.StatusUnauthorized:          away,    // 401: the secret is not the endpoint's
	http.StatusPaymentRequired:       away,    // 402: the account of the endpoint
	http.StatusForbidden:             away,    // 403: as 401, or a firewall
	http.StatusNotFound:              away,    // 404: the URL, or a deployment under way
	http.StatusMethodNotAllowed:      away,    // 405: the URL takes no POST
	http.StatusNotAcceptable:         away,    // 406: no header Accept is sent, whatever the event
	http.StatusProxyAuthRequired:     away,    // 407
	http.StatusRequestTimeout:        away,    // 408: the request came too slowly
	http.StatusConflict:              refused, // 409
	http.StatusGone:                  gone,    // 410: Standard Webhooks' word for "no more"
	http.StatusLengthRequired:        away,    // 411: something between strips the length
	http.StatusRequestEntityTooLarge: refused, // 413: this event is too large
	http.StatusRequestURITooLong:     away,    // 414: the URL is the same for all
	http.StatusUnsupportedMediaType:  refused, // 415: this event's content type
	http.StatusMisdirectedRequest:    away,    // 421: another server's connection
	http.StatusLocked:                away,    // 423
	http.StatusFailedDependency:      away,    // 424
	http.StatusTooEarly:              away,    // 425
	http.StatusUpgradeRequired:       away,    // 426: another protocol
	http.StatusTooManyRequests:       later,   // 429
	499:                              away,    // nginx: it saw the connection closed
}

// meaningOf is what a status means; retryAfter says that the answer has that header.
func meaningOf(status int, retryAfter bool) meaning {
	if m, ok := codes[status]; ok {
		return m
	}
	switch {
	case status == http.StatusServiceUnavailable && retryAfter:
		return later
	case status >= 200 && status < 300:
		return delivered
	case status >= 400 && status < 500:
		return refused
	default:
		return away
	}
}

// retryAfter is how long a Retry-After header asks to wait, in seconds or until a date.
// The date is compared with the answer's own, where it has one: the endpoint's clock may
// be another one. given is false without a header that can be read.
func retryAfter(h http.Header, now time.Time) (wait time.Duration, given bool) {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(text, 10, 32); err == nil {
		return time.Duration(seconds) * time.Second, true
	}
	until, err := http.ParseTime(text)
	if err != nil {
		return 0, false
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return max(until.Sub(now), 0), true
}

// adviceOn is what to do about a request that had no answer, as far as that is known.
func adviceOn(err error) string {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "; name the authority that signs the endpoint's certificate in CAFile (--ca)"
	}
	return ""
}

// advice is what to do about an answer for which something is set wrongly; "" for others.
func advice(status int, h http.Header) string {
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return "; does the endpoint know the secret?"
	case status == http.StatusNotFound, status == http.StatusMethodNotAllowed:
		return "; is the URL right, and does it take a POST?"
	case status >= 300 && status < 400:
		return "; a redirect is not followed: state the address that the endpoint really has" + redirectedTo(h)
	default:
		return ""
	}
}
