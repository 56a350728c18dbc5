package main

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/replhub/replhub"
)

// journal is a file of what handlers of this process did, one line as each
// begins and one as it ends. A line is one write, which outlives the process.
type journal struct {
	f    *os.File
	last atomic.Int64
}

func openJournal(path string) (*journal, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	return &journal{f: f}, nil
}

func (j *journal) close() error { return j.f.Close() }

// around notes when a is at work.
func (j *journal) around(a *applier) replhub.HandlerFunc {
	return func(ctx context.Context, d *replhub.Delivery) error {
		n := j.last.Add(1)
		_, err := fmt.Fprintf(j.f, "begin %d %d %d %d %s\n", n, time.Now().UnixNano(), d.Position.Epoch, d.Position.Seq, d.Key)
		if err != nil {
			return err
		}
		outcome, err := a.apply(ctx, d)
		if err != nil {
			outcome = "failed"
		}
		if _, err := fmt.Fprintf(j.f, "end %d %d %s\n", n, time.Now().UnixNano(), outcome); err != nil {
			return err
		}
		return err
	}
}
