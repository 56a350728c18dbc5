package replhub

import "sync"

// inflight counts the calls under way, so that Close and Drain can wait for their
// end. The zero inflight works.
type inflight struct {
	mu      sync.Mutex // guards what follows
	n       int
	stopped bool
	idle    chan struct{} // closed when stopped and none is under way
}

// begin notes that a call begins; it refuses the call once the client is ending.
func (f *inflight) begin() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopped {
		return ErrClosed
	}
	f.n++
	return nil
}

func (f *inflight) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n--
	if f.stopped && f.n == 0 {
		close(f.idle)
	}
}

// stop refuses further calls, and returns a channel that is closed when the last call
// has ended.
func (f *inflight) stop() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.stopped {
		f.stopped, f.idle = true, make(chan struct{})
		if f.n == 0 {
			close(f.idle)
		}
	}
	return f.idle
}
