package push

import (
	"context"
	"net/http"
	"time"

	"github.com/replhub/replhub"
)

// Preview returns the request that would deliver an event now, signed by the secrets of the
// config. It checks the config as New does, except for Conn, which it does not need: it
// connects to nothing, and resolves no name.
func Preview(ctx context.Context, cfg Config, d *replhub.Delivery) (*http.Request, error) {
	cfg = cfg.withDefaults()
	_, u, err := cfg.validate()
	if err != nil {
		return nil, err
	}
	e, err := newEndpoint(cfg, u)
	if err != nil {
		return nil, err
	}
	defer e.close()
	keys, err := e.keys.read()
	if err != nil {
		return nil, err
	}
	return e.request(ctx, d, keys, time.Now())
}
