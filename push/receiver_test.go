package push_test

import (
	"fmt"
	"io"
	"net/http"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// position is where a change stands in the order of all changes.
type position struct{ epoch, seq uint64 }

func (p position) before(o position) bool {
	return p.epoch < o.epoch || p.epoch == o.epoch && p.seq < o.seq
}

// receive verifies each request, drops repeats, and applies the rest. Requests for one
// key come one at a time; the map stands for a column beside the row.
func receive(verifier *standardwebhooks.Webhook, last map[string]position, apply func(kind, row string, body []byte)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 8<<20))
		if err != nil || verifier.Verify(body, r.Header) != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		h, at := r.Header.Get, position{}
		_, _ = fmt.Sscan(h("ce-epoch")+" "+h("ce-sequence"), &at.epoch, &at.seq)
		row := h("ce-entity") + "/" + h("ce-key")
		repeat := at == last[row] && h("ce-row") == "" // a row may be newer than an event at its position
		if !at.before(last[row]) && !repeat {
			apply(h("ce-type"), row, body) // in one transaction with the position
			last[row] = at
		}
		w.WriteHeader(http.StatusNoContent) // a repeat is done already
	}
}
