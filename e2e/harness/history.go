package harness

import (
	"sync"

	"github.com/replhub/replhub/e2e/judge"
)

// history is what publishers tried and were told. It may be used concurrently.
type history struct {
	mu       sync.Mutex // guards what follows
	order    []string
	attempts map[string]judge.Attempt
	acked    int
}

func (h *history) invoke(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.attempts == nil {
		h.attempts = make(map[string]judge.Attempt)
	}
	if _, had := h.attempts[id]; !had {
		h.order = append(h.order, id)
	}
	h.attempts[id] = judge.Attempt{ID: id, Result: judge.Invoked}
}

func (h *history) settle(id string, result judge.Result, seq uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.attempts[id] = judge.Attempt{ID: id, Result: result, Position: judge.Position{Epoch: 1, Seq: seq}}
	if result == judge.Acked {
		h.acked++
	}
}

func (h *history) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.acked
}

func (h *history) all() []judge.Attempt {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := make([]judge.Attempt, 0, len(h.order))
	for _, id := range h.order {
		list = append(list, h.attempts[id])
	}
	return list
}

// Acked is how many events were acknowledged so far; safe from any goroutine.
func (w *World) Acked() int { return w.history.count() }
