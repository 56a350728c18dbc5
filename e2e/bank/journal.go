package main

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/replhub/replhub"
)

// journal is where handlers of this process note what they do.
type journal interface {
	// begin notes that a handler begins on a batch, and returns the number of the
	// first; the others' follow.
	begin(ctx context.Context, batch []*replhub.Delivery) (int64, error)
	// end notes the outcome of each delivery of the batch.
	end(ctx context.Context, first int64, outcomes []string) error
	close() error
}

// noting notes when a is at work on a batch.
func noting(j journal, a applier) replhub.BatchHandlerFunc {
	return func(ctx context.Context, batch []*replhub.Delivery) error {
		first, err := j.begin(ctx, batch)
		if err != nil {
			return err
		}
		outcomes, err := a.apply(ctx, batch)
		if err != nil {
			outcomes = make([]string, len(batch))
			for i := range outcomes {
				outcomes[i] = "failed"
			}
		}
		// Also of a handler whose time is over.
		if err := j.end(context.WithoutCancel(ctx), first, outcomes); err != nil {
			return err
		}
		return err
	}
}

// one is a handler of batches for deliveries that come one by one.
func one(h replhub.BatchHandler) replhub.HandlerFunc {
	return func(ctx context.Context, d *replhub.Delivery) error {
		return h.HandleBatch(ctx, []*replhub.Delivery{d})
	}
}

// fileJournal is a file of one line for each delivery as its handler begins and one
// as it ends. A batch's lines are one write, which outlives the process; where that
// was killed in the middle of it, the last line has no end.
type fileJournal struct {
	f    *os.File
	last atomic.Int64
}

func openJournal(path string) (*fileJournal, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	return &fileJournal{f: f}, nil
}

func (j *fileJournal) close() error { return j.f.Close() }

func (j *fileJournal) begin(_ context.Context, batch []*replhub.Delivery) (int64, error) {
	first := j.last.Add(int64(len(batch))) - int64(len(batch)) + 1
	now := time.Now().UnixNano()
	var lines []byte
	for i, d := range batch {
		lines = fmt.Appendf(lines, "begin %d %d %d %d %s %d\n", first+int64(i), now, d.Position.Epoch, d.Position.Seq, d.Key, first)
	}
	_, err := j.f.Write(lines)
	return first, err
}

func (j *fileJournal) end(_ context.Context, first int64, outcomes []string) error {
	now := time.Now().UnixNano()
	var lines []byte
	for i, outcome := range outcomes {
		lines = fmt.Appendf(lines, "end %d %d %s\n", first+int64(i), now, outcome)
	}
	_, err := j.f.Write(lines)
	return err
}
