package hub

import (
	"context"

	"github.com/replhub/replhub/hub/internal/retry"
)

// watchHTTPFiles looks for trouble with the files of the HTTP server until ctx ends. A
// client that cannot connect tells nobody why.
func (h *Hub) watchHTTPFiles(ctx context.Context) error {
	if h.cfg.HTTPTrouble == nil {
		return nil
	}
	for {
		text := h.cfg.HTTPTrouble()
		switch text {
		case h.condition.HTTP(): // as before
		case "":
			h.log.Info("the files of the HTTP server can be used again")
		default:
			h.log.Error("HTTP", "err", text)
		}
		h.condition.http.Store(&text)
		if err := retry.Sleep(ctx, watchEvery); err != nil {
			return nil
		}
	}
}
