package report

import (
	"context"

	"github.com/replhub/replhub/subjects"
)

// describeLetters counts a service's dead letters. If they cannot be counted now, the
// rest is still reported.
func (r *Reporter) describeLetters(ctx context.Context, status *Lane, service subjects.Name) {
	var err error
	if status.DeadLetters, err = r.cfg.DeadLetters.Count(ctx, service); err != nil {
		r.cfg.Logger.Debug("count dead letters", "service", service.String(), "err", err)
		status.DeadLettersUnknown = true
	}
}
