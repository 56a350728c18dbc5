package retry

import (
	"context"
	"time"

	"github.com/replhub/replhub/internal/pause"
)

// Sleep waits for a time, or until ctx ends, and returns the error of ctx then.
func Sleep(ctx context.Context, d time.Duration) error {
	if pause.For(ctx, d) != nil {
		return ctx.Err()
	}
	return nil
}
