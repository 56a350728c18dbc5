package lane

import (
	"context"
	"errors"
	"fmt"

	"github.com/replhub/replhub/hub/internal/hubstream"
)

// maxRefusals is how often in a row an append may be refused for its expected
// sequence while the stream does not move. Where there is another writer, it does.
const maxRefusals = 3

// refusals counts the appends in a row that were refused at one end of the stream.
type refusals struct {
	at    uint64
	count int
}

// met takes a refusal of an append behind a last sequence, and reports whether there
// were too many for another writer to be the reason.
func (r *refusals) met(last uint64) bool {
	if r.at != last {
		*r = refusals{at: last}
	}
	r.count++
	return r.count > maxRefusals
}

// diagnose finds out why an append did not succeed. forestalled is set when that is
// the matter of another writer, with whom the lane has to take turns.
//
// A server that could not write a message answers nothing to it, and to those behind
// it that they expect another sequence, as if somebody else had appended.
func (l *Lane) diagnose(ctx context.Context, err error) (reason error, forestalled bool) {
	switch {
	case errors.Is(err, errGeneration), errors.Is(err, ErrFenced) && !l.refused.met(l.read):
		return err, true
	case !errors.Is(err, ErrFenced):
		return hubstream.Diagnose(ctx, l.env.JS, l.stream, err), false
	}
	if disk := hubstream.WriteError(ctx, l.env.JS, l.stream); disk != nil {
		return disk, false
	}
	return fmt.Errorf("%d appends in a row refused at sequence %d, though nobody appends: %w", l.refused.count, l.read, err), false
}
