package lane

import (
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/lane/history"
)

// standings record where the consumers of one lane stand. It may be used
// concurrently. The zero value is empty.
type standings struct {
	mu  sync.Mutex // guards all
	all history.Standings
}

// look notes where consumers stand, and returns their floors by name. asked is when the
// server was asked, came when its last answer had come.
func (s *standings) look(consumers map[string]*jetstream.ConsumerInfo, asked, came time.Time) map[string]uint64 {
	seen := make(map[string]history.Consumer, len(consumers))
	for name, info := range consumers {
		seen[name] = history.Consumer{
			Created:   info.Created,
			Delivered: history.Place{Stream: info.Delivered.Stream, Consumer: info.Delivered.Consumer},
			AckFloor:  history.Place{Stream: info.AckFloor.Stream, Consumer: info.AckFloor.Consumer},
			Held:      info.NumAckPending, Pending: info.NumPending,
			Start: info.Config.OptStartSeq, Leading: leading(info),
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.Look(seen, asked, came)
}

// leading is how long the leader had led that answered, by its own clock; 0 if it did not
// say. Servers say it of replicated consumers, from 2.12 on.
func leading(info *jetstream.ConsumerInfo) time.Duration {
	if info.Cluster == nil || info.Cluster.LeaderSince == nil {
		return 0
	}
	return max(info.TimeStamp.Sub(*info.Cluster.LeaderSince), 1)
}

// last returns the floors of the last look.
func (s *standings) last() map[string]uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.Last()
}

// behind is history.Standings.Behind.
func (s *standings) behind() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.Behind()
}
