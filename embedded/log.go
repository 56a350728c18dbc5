package embedded

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
)

// keyText carries the server's own words: its formats are not constant
// messages, so they are a value here.
const keyText = "text"

// bridge is the server's log as slog, and the catcher of its fatal errors: the
// server reports a start that went wrong in no other way.
type bridge struct {
	log *slog.Logger

	mu    sync.Mutex // guards fatal
	fatal error
}

func (b *bridge) Noticef(format string, v ...any) {
	b.log.Debug("nats-server notice", keyText, fmt.Sprintf(format, v...))
}

func (b *bridge) Warnf(format string, v ...any) {
	b.log.Warn("nats-server warning", keyText, fmt.Sprintf(format, v...))
}

func (b *bridge) Errorf(format string, v ...any) {
	b.log.Warn("nats-server error", keyText, fmt.Sprintf(format, v...))
}

func (b *bridge) Debugf(format string, v ...any) {
	b.log.Debug("nats-server debug", keyText, fmt.Sprintf(format, v...))
}

func (b *bridge) Tracef(format string, v ...any) {
	b.log.Debug("nats-server trace", keyText, fmt.Sprintf(format, v...))
}

// Fatalf keeps the first fatal error for Start to return; the process is not
// the server's to end.
func (b *bridge) Fatalf(format string, v ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fatal == nil {
		b.fatal = &fatalError{text: fmt.Sprintf(format, v...), cause: firstError(v)}
	}
}

func (b *bridge) err() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.fatal
}

// fatalError is the server's sentence with the cause that it formatted away.
type fatalError struct {
	text  string
	cause error
}

func (e *fatalError) Error() string { return e.text }
func (e *fatalError) Unwrap() error { return e.cause }

func firstError(args []any) error {
	for _, arg := range args {
		if err, ok := arg.(error); ok {
			return err
		}
	}
	return errors.New("nats-server gave up")
}
