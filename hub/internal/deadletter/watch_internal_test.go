package deadletter

import (
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/subjects"
)

// A server that begins with an older copy of a lane has an older ack floor. Other copies
// may have the sequences above it now, whose dead letters nobody has looked for.
func TestAckFloorThatGoesBackProvesLess(t *testing.T) {
	service, err := subjects.ParseName("s")
	if err != nil {
		t.Fatal(err)
	}
	w := &watches{known: make(map[watchKey]*watch)}
	for _, c := range []struct {
		floor       uint64
		redelivered int
		want        uint64
	}{{105, 0, 105}, {105, 1, 105}, {80, 1, 80}, {90, 1, 80}, {90, 0, 90}} {
		info := &jetstream.ConsumerInfo{Name: "workers", NumRedelivered: c.redelivered, AckFloor: jetstream.SequenceInfo{Stream: c.floor}}
		if now, clean := w.observe(service, info); now.clean != c.want || clean != (c.redelivered == 0) {
			t.Errorf("ack floor %d: proven up to %d, %t; want %d", c.floor, now.clean, clean, c.want)
		}
	}
}
