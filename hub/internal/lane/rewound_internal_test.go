package lane

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// What a consumer had acknowledged before a rewind that this hub has not seen, or
// in a lane that was dropped, says nothing of what is due since.
func TestSettledOfAnotherRewindProvesNothing(t *testing.T) {
	until := time.Now().Add(time.Hour)
	rewound := &Rewound{ID: "r2", From: 50, Starts: map[string]uint64{"workers-1": 20}}
	stream := &jetstream.StreamInfo{Created: time.Unix(1000, 0), State: jetstream.StreamState{LastSeq: 150}}
	lane := laneOf(stream)
	for name, c := range map[string]struct {
		state   State
		settled Settled
		want    uint64
	}{
		"nothing known":                {State{}, Settled{}, 0},
		"proven":                       {State{}, Settled{UpTo: 99, Generation: lane + "0"}, 100},
		"made by an older replhub":     {State{}, Settled{UpTo: 99}, 0},
		"proven before a rewind":       {State{Rewound: rewound}, Settled{UpTo: 99, Generation: lane + "0"}, 20},
		"proven before another rewind": {State{Rewound: rewound}, Settled{UpTo: 99, Generation: lane + "0/r1"}, 20},
		"proven since the rewind":      {State{Rewound: rewound}, Settled{UpTo: 99, Generation: lane + "0/r2"}, 100},
		"rewind done":                  {State{Rewound: rewound.Finished()}, Settled{}, 20},
		"of another queue":             {State{QueueFrom: 70}, Settled{UpTo: 99, Generation: lane + "0"}, 70},
		"of the lane before":           {State{}, Settled{UpTo: 99, Generation: laneOf(&jetstream.StreamInfo{Created: time.Unix(999, 0)}) + "0"}, 0},
		"of messages that are lost":    {State{}, Settled{UpTo: 151, Generation: lane + "0"}, 0},
		"less than the start":          {State{QueueFrom: 70}, Settled{UpTo: 10, Generation: lane + "70"}, 70},
	} {
		t.Run(name, func(t *testing.T) {
			c.settled.PausedUntil = &until
			cfg := jetstream.ConsumerConfig{Durable: "workers-1"}
			goOn(c.state, &cfg, stream, func(string) Settled { return c.settled })
			paused := name != "of the lane before"
			if cfg.OptStartSeq != c.want || (cfg.PauseUntil != nil) != paused {
				t.Errorf("starts at %d, paused until %v; want %d, %t", cfg.OptStartSeq, cfg.PauseUntil, c.want, paused)
			}
		})
	}
}
