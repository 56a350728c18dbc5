package control

import (
	"context"
	"errors"
	"slices"

	"github.com/replhub/replhub/hub/internal/deadletter"
	"github.com/replhub/replhub/hub/internal/lane"
)

// settle finishes redrives that a crash cut short: the copies of these letters are in
// the lane, so it removes the letters. It forgets letters that somebody has already
// removed. Otherwise the lane's state record would name such letters for ever, and
// the record is bounded.
func (r *redrive) settle(ctx context.Context) error {
	state, err := r.cfg.Lanes.State(ctx, r.service)
	if err != nil || len(state.Redriven) == 0 {
		return err
	}
	for _, id := range state.Redriven {
		letter, err := r.cfg.DeadLetters.Letter(ctx, r.service, id.Seq)
		if errors.Is(err, deadletter.ErrNoLetter) {
			continue
		}
		if err != nil {
			return err
		}
		if !state.HasRedriven(idOf(letter)) {
			continue // of a stream that was created again
		}
		if err := r.cfg.DeadLetters.Remove(ctx, letter); err != nil {
			return err
		}
		named := slices.Index(r.seqs, id.Seq)
		if named >= 0 {
			r.seqs = slices.Delete(r.seqs, named, named+1)
		}
		if named >= 0 || r.all && id.Seq >= r.from {
			r.redriven++
		}
	}
	return r.forget(ctx, state.Redriven)
}

// forget takes removed letters out of the lane's state.
func (r *redrive) forget(ctx context.Context, ids []lane.LetterID) error {
	_, err := r.lane.Change(ctx, func(_ context.Context, tip lane.Tip) (lane.State, bool, error) {
		next := tip.State.Forget(ids)
		return next, len(next.Redriven) < len(tip.State.Redriven), nil
	})
	return err
}
