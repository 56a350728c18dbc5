package replhub

import (
	"strconv"
	"time"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/queue"
)

const (
	// pullTime is how long a request for messages stands. A partition's request must
	// be renewed within two seconds, after which the server drops a pin.
	pullTime = 1500 * time.Millisecond
	// headerPin is the server's proof that a partition's consumer is ours.
	headerPin = "Nats-Pin-Id"
)

// pull sends a request for messages, unless the source has a new subscription since it was
// decided on.
func (d *driver) pull(p queue.Pull) {
	if d.plan.ordered && !d.refresh(&p) {
		return
	}
	in := intakeOf(p.Source)
	b := make([]byte, 0, 96)
	b = append(b, `{"batch":`...)
	b = strconv.AppendInt(b, int64(p.Batch), 10)
	b = append(b, `,"expires":`...)
	b = strconv.AppendInt(b, int64(pullTime), 10)
	if d.plan.ordered {
		b = append(b, `,"group":"`+contract.GroupWorkers+`"`...)
		if p.Pin != "" {
			b = append(b, `,"id":"`+p.Pin+`"`...)
		}
	}
	b = append(b, '}')
	// An error means a closed connection; a lost request is noticed because no answer
	// comes.
	_ = d.s.client.nc.PublishRequest(d.s.api+"CONSUMER.MSG.NEXT."+d.s.stream+"."+in.consumer, in.inboxOf(p.Epoch), b)
}
