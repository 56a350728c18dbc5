package reconnect

import (
	"time"

	"github.com/nats-io/nats.go"
)

const (
	// pingEvery is the time between two pings, pingsUnanswered how many the server may leave
	// without an answer.
	pingEvery       = 10 * time.Second
	pingsUnanswered = 2
)

// Alive are the options by which a connection without any answer is given up after half a
// minute. A network that loses packets says nothing: TCP alone sends again for a quarter of
// an hour, after pauses of up to two minutes, and nats.go by itself gives up after six.
func Alive() []nats.Option {
	return []nats.Option{nats.PingInterval(pingEvery), nats.MaxPingsOutstanding(pingsUnanswered)}
}
