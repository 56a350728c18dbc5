package registration

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nuid"

	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/ingest/retention"
	"github.com/replhub/replhub/hub/internal/request"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// anchor finds where the new interests of one registration begin, and pins ingest
// there (retention.Anchor). It is for one request and must not be used concurrently.
type anchor struct {
	ingest *ingest.Ingest
	held   *ingest.Anchor
	bounds ingest.Bounds
}

func newAnchor(g *ingest.Ingest, service subjects.Name) *anchor {
	return &anchor{ingest: g, held: g.NewAnchor(service.String() + "/" + nuid.Next())}
}

// look reads ingest's bounds for an edit, so that its new interests begin together.
func (a *anchor) look(ctx context.Context) (err error) {
	a.bounds, err = a.held.Look(ctx)
	return err
}

// begin finds and pins a start. field names it in refusals.
func (a *anchor) begin(ctx context.Context, s request.Start, field string) (retention.Beginning, error) {
	if err := s.Beyond(a.bounds.Last, field); err != nil {
		return retention.Beginning{}, err
	}
	at, err := s.Time(a.ingest.Now(), field)
	if err != nil {
		return retention.Beginning{}, err
	}
	b, err := a.held.Begin(ctx, retention.Start{All: s.All, Seq: s.Seq, At: at})
	if old, ok := errors.AsType[*retention.TooOldError](err); ok {
		return b, tooOld(field, old)
	}
	if errors.Is(err, retention.ErrChanged) {
		return b, contract.Errorf(contract.CodeUnavailable, "%v; send the request again", err)
	}
	return b, err
}

func tooOld(field string, e *retention.TooOldError) error {
	if !e.HeldSince.IsZero() {
		return contract.FieldErrorf(contract.CodeTooOld, field,
			"ingest holds events since %s only; use \"all\" for every event that it holds", e.HeldSince.Format(time.RFC3339Nano))
	}
	return contract.FieldErrorf(contract.CodeTooOld, field, "ingest holds events from %d on only; use \"all\" for every event that it holds", e.Held)
}

// release ends the pin. If the pin has expired, the events may be gone, so the
// request is refused rather than answered with such a since.
func (a *anchor) release(ctx context.Context) error {
	held, err := a.held.Release(ctx)
	if err != nil {
		return err
	}
	if !held {
		return contract.Errorf(contract.CodeUnavailable, "the registration took too long; send the request again")
	}
	return nil
}

// abandon ends the pin of a request that was refused. One whose outcome is
// unknown keeps it until it runs out: the lane may hold its interests.
func (a *anchor) abandon(ctx context.Context, err error) {
	if _, refused := errors.AsType[*contract.Error](err); !refused {
		return
	}
	// A pin that stays runs out by itself.
	_, _ = a.held.Release(ctx)
}
