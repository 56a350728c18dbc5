package replhub

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/internal/contract"
)

// whyNoResponders finds out why no stream took a message. Another attempt may help
// where the stream exists and has no leader at present, or where this user may not
// ask for the stream.
func (c *Client) whyNoResponders(ctx context.Context, subject string) outcome {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	stream, err := c.js.Stream(ctx, contract.StreamIngest)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound), errors.Is(err, jetstream.ErrJetStreamNotEnabled),
		errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		out := outcome{kind: refused, err: fmt.Errorf("%w (%w)", ErrNoHub, err)}
		if c.cfg.WaitForHub {
			out.kind = retry
		}
		return out
	case err != nil:
		return outcome{kind: retry, err: nats.ErrNoResponders}
	}
	takes := stream.CachedInfo().Config.Subjects
	for _, pattern := range takes {
		if matches(pattern, subject) {
			return outcome{kind: retry, err: nats.ErrNoResponders}
		}
	}
	return outcome{kind: refused, err: fmt.Errorf("%w: it takes %s", ErrUnknownSubject, strings.Join(takes, ", "))}
}

// matches reports whether a subject matches a NATS pattern.
func matches(pattern, subject string) bool {
	for {
		want, patternRest, morePattern := strings.Cut(pattern, ".")
		have, subjectRest, moreSubject := strings.Cut(subject, ".")
		if want == ">" {
			return true
		}
		if want != "*" && want != have || morePattern != moreSubject {
			return false
		}
		if !morePattern {
			return true
		}
		pattern, subject = patternRest, subjectRest
	}
}
