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
	// begin notes that a handler begins, and returns its number.
	begin(ctx context.Context, d *replhub.Delivery) (int64, error)
	// end notes what it came to.
	end(ctx context.Context, n int64, outcome string) error
	close() error
}

// around notes when a is at work.
func around(j journal, a *applier) replhub.HandlerFunc {
	return func(ctx context.Context, d *replhub.Delivery) error {
		n, err := j.begin(ctx, d)
		if err != nil {
			return err
		}
		outcome, err := a.apply(ctx, d)
		if err != nil {
			outcome = "failed"
		}
		// Also of a handler whose time is over.
		if err := j.end(context.WithoutCancel(ctx), n, outcome); err != nil {
			return err
		}
		return err
	}
}

// fileJournal is a file of one line as each handler begins and one as it ends. A
// line is one write, which outlives the process.
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

func (j *fileJournal) begin(_ context.Context, d *replhub.Delivery) (int64, error) {
	n := j.last.Add(1)
	_, err := fmt.Fprintf(j.f, "begin %d %d %d %d %s\n", n, time.Now().UnixNano(), d.Position.Epoch, d.Position.Seq, d.Key)
	return n, err
}

func (j *fileJournal) end(_ context.Context, n int64, outcome string) error {
	_, err := fmt.Fprintf(j.f, "end %d %d %s\n", n, time.Now().UnixNano(), outcome)
	return err
}
