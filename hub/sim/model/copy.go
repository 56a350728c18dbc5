package model

import (
	"maps"
	"slices"
	"time"
)

// Copy is a copy of the stream's directory, with its consumers, as a backup takes it while
// the server is stopped. What the server has only in memory is not in it.
func (s *Stream) Copy() *Stream {
	c := *s
	c.msgs = slices.Clone(s.msgs)
	c.seen = make(map[string]seen)
	c.consumers = make(map[string]*Consumer, len(s.consumers))
	for name, consumer := range s.consumers {
		c.consumers[name] = consumer.copy(&c)
	}
	return &c
}

// copy is the consumer in a copy of its stream. It is complete after Stream.Restart.
func (c *Consumer) copy(stream *Stream) *Consumer {
	return &Consumer{cfg: c.cfg, created: c.created, stream: stream, stored: c.stored.clone(), synced: c.synced.clone(), start: c.start}
}

func (s *stored) clone() stored {
	return stored{s.delivered, s.floor, maps.Clone(s.pending), maps.Clone(s.count)}
}

// Begin is a server that begins with a copy of the stream's directory, which may be used
// again.
func (s *Stream) Begin(now time.Time) *Stream {
	c := s.Copy()
	c.Restart(now)
	return c
}
