package inbox

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/digest"
)

// settle looks at the candidates again until each is equal, or is confirmed to differ.
//
// Between two looks, the replica applies all that was published before, and some time after,
// the first one. A row is confirmed at the third look at which it differs, if nothing was
// applied to it in the replica since the first: the inbox's stamp of it is as it was. A row
// that changes under one stamp is written by somebody else, and differs. Two looks would not do: at the first one
// the replica may have been ahead of the owner's row, which was read earlier, and at the
// second one a later change may be on its way. But at the second look the owner's row was
// read after the replica's had become what it is. So it is the newer one, and what made it
// differ has been applied by the third look, or never will be.
func (v *verifier) settle(ctx context.Context) error {
	for until := time.Now().Add(v.cfg.Wait); len(v.candidates) > 0; {
		v.begin(fmt.Sprintf("%d rows differ; waiting for what is on its way", len(v.candidates)), 0)
		if err := sleep(ctx, v.cfg.Settle); err != nil {
			return err
		}
		if err := v.caughtUp(ctx); err != nil {
			return err
		}
		before := v.candidates
		if err := v.look(ctx); err != nil {
			return err
		}
		v.judge(before)
		if time.Now().After(until) {
			break // the candidates that remain change at every look
		}
	}
	return nil
}

// look reads the candidates at both ends, the owner's first: what the replica then has may
// be newer, but not older.
func (v *verifier) look(ctx context.Context) error {
	keys := slices.Sorted(maps.Keys(v.candidates))
	now := make(map[string]*candidate, len(keys))
	for _, key := range keys {
		now[key] = &candidate{}
	}
	v.begin(fmt.Sprintf("%d rows that differ, owner", len(keys)), v.result.OwnerRows)
	err := v.owner.values(ctx, keys, v.tell, func(key string, values []string) {
		if c := now[key]; c != nil {
			c.owner = side{there: true, hash: digest.Hash(key, values), values: values}
		}
	})
	if err != nil {
		return err
	}
	err = v.some(ctx, v.db, keys, func(key string, values []string) error {
		if c := now[key]; c != nil {
			c.replica = side{there: true, hash: digest.Hash(key, values), values: slices.Clone(values)}
		}
		return nil
	})
	if err != nil {
		return err
	}
	v.candidates = now
	return v.stamps(ctx)
}

// stillFor is how many looks behind the first one nothing may be applied to a row.
const stillFor = 2

// judge drops the candidates that are equal now, and confirms those to which nothing was
// applied in the replica for long.
func (v *verifier) judge(before map[string]*candidate) {
	for key, c := range v.candidates {
		switch was := before[key]; {
		case c.owner.same(c.replica):
			delete(v.candidates, key)
		case c.quiet(was):
			if c.still = was.still + 1; c.still >= stillFor {
				v.confirmed[key] = c
				delete(v.candidates, key)
			}
		}
	}
}

// quiet reports whether nothing was applied to the row since it was looked at before.
// Without a stamp the row itself has to tell: the service may not keep an inbox.
func (c *candidate) quiet(was *candidate) bool {
	return c.stamp == was.stamp && (!c.stamp.none() || c.replica.same(was.replica))
}

// lookEvery is the time between looks at a lane.
const lookEvery = 100 * time.Millisecond

// caughtUp waits until the replica has applied all that is in ingest now.
func (v *verifier) caughtUp(ctx context.Context) error {
	first, err := v.lane(ctx)
	if err != nil {
		return err
	}
	until := time.Now().Add(v.cfg.Wait)
	for now := first; now.Epoch == first.Epoch && now.Seq < first.Seq+first.Lag; {
		if time.Now().After(until) {
			return fmt.Errorf("%w: the hub has %d events to copy into the lane of %s (%s); see 'replhub describe %s'", ErrNotCaughtUp, now.Lag, now.Service, now.State, now.Service)
		}
		if err := sleep(ctx, lookEvery); err != nil {
			return err
		}
		if now, err = v.lane(ctx); err != nil {
			return err
		}
	}
	// The hub may count copies that the server has not acknowledged to it yet.
	if err := sleep(ctx, lookEvery); err != nil {
		return err
	}
	now, err := v.lane(ctx)
	if err != nil {
		return err
	}
	return v.applied(ctx, now.LastSeq, until)
}

// applied waits until the copies up to a sequence of the lane are acknowledged.
func (v *verifier) applied(ctx context.Context, last uint64, until time.Time) error {
	for {
		now, err := v.lane(ctx)
		if err != nil {
			return err
		}
		waits := slices.ContainsFunc(now.Workers, func(w contract.WorkerStatus) bool {
			return w.AckFloor < last && (w.Missing || w.Pending > 0 || w.AckPending > 0)
		})
		if !waits {
			return nil
		}
		if time.Now().After(until) {
			return fmt.Errorf("%w: %d changes in the lane of %s are not applied; start its instances, or see 'replhub describe %s'", ErrNotCaughtUp, now.Backlog, now.Service, now.Service)
		}
		if err := sleep(ctx, lookEvery); err != nil {
			return err
		}
	}
}

// lane is the status of the service's lane.
func (v *verifier) lane(ctx context.Context) (contract.LaneStatus, error) {
	var status contract.LaneStatus
	err := v.cfg.Client.Ask(ctx, contract.VerbDescribe, contract.Describe{}, &status)
	if err == nil && status.State == contract.LaneDetached {
		err = fmt.Errorf("%w: the lane of %s is detached: %s", ErrNotCaughtUp, status.Service, status.Reason)
	}
	return status, err
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
