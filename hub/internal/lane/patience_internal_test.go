package lane

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestPatience(t *testing.T) {
	var p patience
	late := fmt.Errorf("append: %w", context.DeadlineExceeded)
	for i, step := range []struct {
		err  error
		want time.Duration
	}{
		{nil, time.Second}, // never shorter
		{late, 2 * time.Second},
		{errors.New("refused"), 2 * time.Second}, // an answer, but no measure
		{late, 4 * time.Second},
		{late, 8 * time.Second},
		{late, 8 * time.Second}, // never longer
		{nil, 7500 * time.Millisecond},
	} {
		if p.learn(step.err); p.time() != step.want {
			t.Fatalf("step %d: %s, want %s", i, p.time(), step.want)
		}
	}
	ctx, cancel := p.bound(t.Context())
	defer cancel()
	if end, _ := ctx.Deadline(); time.Until(end) > p.time() || time.Until(end) < p.time()-time.Minute {
		t.Errorf("ends in %s", time.Until(end))
	}
}
