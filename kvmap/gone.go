package kvmap

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/replhub/replhub/internal/tree/mirror"
)

// deletionTime is how long the server may still be at work on a deletion after
// it has begun to answer that a stream is not there: a stream made meanwhile
// loses its folder (nats-server 2.15, stream.go, stop).
const deletionTime = time.Second

// presence is what a map knows of its bucket's being there.
type presence struct {
	mu   sync.Mutex // guards the rest
	seen bool       // it was there once
	gone time.Time  // since when it is missing; zero when it is there
}

// missing waits until a bucket that is not there may be made: at once where
// there never was one.
func (p *presence) missing(ctx context.Context) error {
	p.mu.Lock()
	if p.seen && p.gone.IsZero() {
		p.gone = time.Now()
	}
	left := deletionTime - time.Since(p.gone)
	seen := p.seen
	p.mu.Unlock()
	if !seen || left <= 0 {
		return nil
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// there notes that the bucket is there, and reports whether it was missing.
func (p *presence) there() (back bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	back = !p.gone.IsZero()
	p.seen, p.gone = true, time.Time{}
	return back
}

// found notes that the bucket is there. One that was deleted meanwhile is an
// alarm that stays: somebody should find out who does that.
func (m *Map) found() {
	if !m.presence.there() {
		return
	}
	text := fmt.Sprintf("bucket %s was deleted and created again at %s: its records are lost unless they are written again",
		m.cfg.Bucket, time.Now().UTC().Format(time.RFC3339))
	m.cfg.Logger.Error("registry bucket created again", "text", text)
	var lost mirror.Findings
	lost.Add(m.cfg.Bucket, text)
	m.alarms.Set("bucket", lost)
}
