package inbox

import (
	"context"
	"database/sql"
	"fmt"
	"sync"

	"github.com/replhub/replhub/database"
)

// writers has the transactions of a process on a SQLite file wait for each other
// here: SQLite, which has one writer, lets who waits sleep for up to 100 ms between
// two looks. The zero writers works.
type writers struct {
	mu    sync.Mutex // guards lines
	lines map[*sql.DB]*line
}

// line is those who write, or wait to, to one database.
type line struct {
	turn  chan struct{} // holds one: somebody writes
	users int
}

// enter waits for a turn on the database, which leave ends. Where writers do not
// exclude each other, there is no wait.
func (w *writers) enter(ctx context.Context, d database.Dialect, db *sql.DB) (leave func(), err error) {
	if d != database.SQLite {
		return func() {}, nil
	}
	w.mu.Lock()
	l := w.lines[db]
	if l == nil {
		l = &line{turn: make(chan struct{}, 1)}
		if w.lines == nil {
			w.lines = map[*sql.DB]*line{}
		}
		w.lines[db] = l
	}
	l.users++
	w.mu.Unlock()
	select {
	case l.turn <- struct{}{}:
		return func() {
			<-l.turn
			w.part(db, l)
		}, nil
	case <-ctx.Done():
		w.part(db, l)
		return nil, fmt.Errorf("inbox: wait for the writer before: %w", ctx.Err())
	}
}

// part takes one out of a line, and forgets the line when it was the last.
func (w *writers) part(db *sql.DB, l *line) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if l.users--; l.users == 0 {
		delete(w.lines, db)
	}
}
