package main

import (
	"context"
	"errors"
	"io"
	"os"
	"syscall"
	"time"
)

// errOutputClosed means that the output's reader is gone, as in "replhub watch |
// head". The command ends in good order and without a message, because nobody would
// read it.
var errOutputClosed = errors.New("the output is closed")

// lookAtOutput is the time between looks whether somebody still reads the output
// of a command that has nothing to say.
const lookAtOutput = 200 * time.Millisecond

// output is a stream that a command writes to.
type output struct {
	io.Writer
	// closed is called when a write finds that nobody reads any more.
	closed func()
	// columns is the width that tables have to fit into; 0 is any.
	columns func() int
}

// Write implements io.Writer. Its error, where nobody reads any more, is
// errOutputClosed.
func (o *output) Write(p []byte) (int, error) {
	n, err := o.Writer.Write(p)
	if errors.Is(err, syscall.EPIPE) {
		o.closed()
		return n, errOutputClosed
	}
	return n, err
}

// wrapOutputs has the command stop when nobody reads its output any more. The
// function that it returns ends that.
func (a *app) wrapOutputs(ctx context.Context, stop context.CancelCauseFunc) (unwrap func()) {
	closed := func() { stop(errOutputClosed) }
	out, columns := a.out, a.columns
	if columns == nil {
		columns = columnsOf
	}
	a.out = &output{Writer: out, closed: closed, columns: func() int { return columns(out) }}
	a.errOut = &output{Writer: a.errOut, closed: closed, columns: func() int { return 0 }}
	f, ok := out.(*os.File)
	if !ok {
		return func() {}
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&(os.ModeNamedPipe|os.ModeSocket) == 0 {
		return func() {}
	}
	ctx, end := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		awaitReaderGone(ctx, f, closed)
	}()
	return func() {
		end()
		<-done
	}
}

// columnsOf is the width of a stream's terminal; 0 where there is none.
func columnsOf(stream any) int {
	columns, _ := windowOf(stream)
	return columns
}

func awaitReaderGone(ctx context.Context, f *os.File, gone func()) {
	look := time.NewTicker(lookAtOutput)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		if readerGone(f.Fd()) {
			gone()
			return
		}
	}
}

// outputClosed reports whether an error, or the end of ctx, comes of a closed
// output.
func outputClosed(ctx context.Context, err error) bool {
	if errors.Is(err, errOutputClosed) {
		return true
	}
	return errors.Is(context.Cause(ctx), errOutputClosed) && (err == nil || errors.Is(err, context.Canceled))
}
