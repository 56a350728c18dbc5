package episode

import (
	"log/slog"
	"sync"
	"time"
)

// Log logs the episodes of trouble with one repeated piece of work. It may be used
// concurrently.
type Log struct {
	log  *slog.Logger
	what string

	mu sync.Mutex // guards e
	e  Episode
}

// NewLog makes a Log for a piece of work, named in the operator's terms; settle is
// Episode.Settle.
func NewLog(log *slog.Logger, what string, settle time.Duration) *Log {
	return &Log{log: log, what: what, e: Episode{Settle: settle}}
}

// Met takes the outcome of one attempt.
func (l *Log) Met(err error) {
	if err == nil {
		l.Succeeded()
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch l.e.Fail(time.Now(), err.Error()) {
	case Began:
		l.log.Warn("in trouble; trying again", "work", l.what, "err", err)
	case Changed:
		l.log.Warn("still in trouble", "work", l.what, "err", err, "since", l.e.Since().UTC().Format(time.RFC3339))
	case Nothing, Over:
	}
}

// Succeeded notes that an attempt succeeded.
func (l *Log) Succeeded() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.e.Open() {
		return
	}
	if news, lasted, failures := l.e.Succeed(time.Now()); news == Over {
		l.log.Info("out of trouble", "work", l.what, "lasted", lasted.Round(time.Millisecond).String(), "failures", failures)
	}
}

// Trouble is the latest reason and since when there is trouble; empty without any.
func (l *Log) Trouble() (reason string, since time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.e.Reason(), l.e.Since()
}

// Logs are the Logs of pieces of work of one kind, by name. The zero value is not
// ready; see NewLogs. It may be used concurrently.
type Logs struct {
	log    *slog.Logger
	what   string
	settle time.Duration

	mu     sync.Mutex // guards byName
	byName map[string]*Log
}

// NewLogs makes Logs for a kind of work; settle is Episode.Settle.
func NewLogs(log *slog.Logger, what string, settle time.Duration) *Logs {
	return &Logs{log: log, what: what, settle: settle, byName: make(map[string]*Log)}
}

// Met takes the outcome of one attempt at a piece of work, and reports whether it
// was a success.
func (l *Logs) Met(name string, err error) bool {
	l.mu.Lock()
	one := l.byName[name]
	if one == nil && err != nil {
		one = NewLog(l.log.With("name", name), l.what, l.settle)
		l.byName[name] = one
	}
	l.mu.Unlock()
	if one == nil {
		return true
	}
	one.Met(err)
	if reason, _ := one.Trouble(); reason == "" {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.byName, name)
	}
	return err == nil
}

// Forget drops pieces of work that no longer exist.
func (l *Logs) Forget(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.byName, name)
}
