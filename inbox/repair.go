package inbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/internal/contract"
)

// Repair sends the rows of some keys to the service again, and compares them afterwards:
// the result is of these keys alone. Give it the Keys of a [Verified].
//
// It writes nothing into the table. The rows come through the lane, as rows of a backfill,
// and the service's instances apply them in the inbox's order: a row that is newer stays.
// A key of which the service gets no row comes as a delete, which never removes a row that
// the owner makes later. See [replhub.Client.BackfillKeys]. So the instances have to run.
//
// A table with a Policy that goes by versions alone, as [ByVersion], takes no such delete
// over a row with a version, since the delete has none.
func (t *Table) Repair(ctx context.Context, db *sql.DB, cfg VerifyConfig, keys []string) (*Verified, error) {
	v, err := t.verifier(ctx, db, cfg.withDefaults())
	if err != nil {
		return nil, err
	}
	v.begin("rows that differ, sent again", uint64(len(keys)))
	for sent := 0; sent < len(keys); {
		n := contract.KeysOfOneBackfill(keys[sent:])
		if err := v.sendAgain(ctx, keys[sent:sent+n]); err != nil {
			return nil, fmt.Errorf("send rows of %s again: %w", v.cfg.Entity, err)
		}
		sent += n
		v.tell(uint64(sent))
	}
	for _, key := range keys {
		v.candidates[key] = &candidate{}
	}
	if err := v.caughtUp(ctx); err != nil {
		return nil, err
	}
	if err := v.look(ctx); err != nil {
		return nil, err
	}
	for key, c := range v.candidates {
		if c.owner.same(c.replica) {
			delete(v.candidates, key)
		}
	}
	if err := v.settle(ctx); err != nil {
		return nil, err
	}
	v.conclude()
	return &v.result, nil
}

// sendAgain has the rows of keys sent again, and returns when they are in the lane.
func (v *verifier) sendAgain(ctx context.Context, keys []string) error {
	fill, err := v.backfill(ctx, keys)
	if err != nil {
		return err
	}
	for seen := false; ; {
		status, err := v.cfg.Client.Describe(ctx)
		if err != nil {
			return err
		}
		for _, f := range status.Filled {
			if f.ID == fill.ID {
				return nil
			}
		}
		under := false
		for _, f := range status.Fills {
			under = under || f.ID == fill.ID
		}
		if seen && !under {
			return errors.New("the backfill was ended before its last row; repair again")
		}
		seen = !under // looked for once more, since it may end between two looks
		if err := sleep(ctx, lookEvery); err != nil {
			return err
		}
	}
}

// backfill asks for the rows of keys. Where another backfill is under way, it waits for
// its end.
func (v *verifier) backfill(ctx context.Context, keys []string) (replhub.Backfill, error) {
	for until := time.Now().Add(v.cfg.Wait); ; {
		fill, err := v.cfg.Client.BackfillKeys(ctx, v.cfg.Entity, keys)
		refusal, refused := errors.AsType[*replhub.RefusedError](err)
		busy := refused && (refusal.Code == replhub.CodeBusy || refusal.Code == replhub.CodeUnavailable)
		if !busy || time.Now().After(until) {
			return fill, err
		}
		if err := sleep(ctx, lookEvery); err != nil {
			return fill, err
		}
	}
}
