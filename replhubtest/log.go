package replhubtest

import (
	"log/slog"
	"strings"
	"sync"
)

// testLog writes into a test's log until the test ends: a connection's callbacks
// may come a little after it was closed, and would panic there.
type testLog struct {
	mu    sync.Mutex // guards ended
	t     T
	ended bool
}

func newTestLog(t T) *slog.Logger {
	w := &testLog{t: t}
	t.Cleanup(w.end)
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// Write implements io.Writer.
func (w *testLog) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.ended {
		w.t.Logf("%s", strings.TrimSuffix(string(line), "\n"))
	}
	return len(line), nil
}

func (w *testLog) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
}
