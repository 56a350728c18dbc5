package replhub

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/queue"
)

// intake is what the driver has for a source: its consumer, and the subscription
// that messages come on.
type intake struct {
	d           *driver
	src         *queue.Source
	consumer    string
	incarnation string // of the consumer: when it was created, in milliseconds, base 36
	// ctx is the handlers'; it is cancelled when their time is over.
	ctx    context.Context //nolint:containedctx // it lives as long as the intake
	cancel context.CancelFunc
	inbox  string             // prefix of the subscriptions' inboxes
	sub    *nats.Subscription // used only by the goroutine that opens and closes sources
	freed  chan struct{}      // closed when it is ended and no handler is under way
}

func newIntake(d *driver, src *queue.Source) *intake {
	in := &intake{
		d: d, src: src, consumer: contract.ConsumerWorkers, incarnation: strconv.FormatInt(d.plan.created.UnixMilli(), 36),
		inbox: d.s.client.nc.NewInbox() + ".", freed: make(chan struct{}),
	}
	if d.plan.ordered {
		in.consumer += "-" + strconv.Itoa(src.Partition)
	}
	in.ctx, in.cancel = context.WithCancel(d.handlers)
	return in
}

func intakeOf(src *queue.Source) *intake {
	return src.Owner.(*intake) //nolint:forcetypeassert // set when it was subscribed first
}

// inboxOf is the inbox for a subscription's messages.
func (in *intake) inboxOf(epoch int) string { return in.inbox + strconv.Itoa(epoch) }

// begin subscribes on a new inbox, in place of the one before.
func (in *intake) begin(epoch int) error {
	sub, err := in.d.s.client.nc.Subscribe(in.inboxOf(epoch), func(m *nats.Msg) { in.take(epoch, m) })
	if err != nil {
		return fmt.Errorf("subscribe: %w", closedError(err))
	}
	// The pulls bound the messages under way.
	_ = sub.SetPendingLimits(-1, -1)
	if in.sub != nil {
		_ = in.sub.Unsubscribe()
	}
	in.sub = sub
	return nil
}

// end ends the subscription. It takes the messages on their way and gives them back.
// The server sends nothing more once it has the unsubscribe, so no message comes
// twice.
func (in *intake) end() {
	if in.sub != nil {
		_ = in.sub.Drain()
	}
}

// take is called for each message, on the subscription's own goroutine.
func (in *intake) take(epoch int, m *nats.Msg) {
	if len(m.Data) == 0 {
		if status := header(m.Header, "Status"); status != "" {
			in.pullEnded(epoch, status, m)
			return
		}
	}
	c, ok := parseReply(m.Reply)
	if !ok {
		return
	}
	j := newJob(in, m, c)
	at := queue.Place{Epoch: epoch, Seq: c.consumer, Pin: header(m.Header, headerPin)}
	delete(m.Header, headerPin)
	in.d.step(func(now time.Time) { in.d.core.Delivered(now, in.src, &j.Job, at) })
}

// pullEnded handles a status message of the server, which ends a pull.
func (in *intake) pullEnded(epoch int, status string, m *nats.Msg) {
	unsent, err := strconv.Atoi(header(m.Header, "Nats-Pending-Messages"))
	if err != nil {
		unsent = -1
	}
	end := pullEnd(status, header(m.Header, "Description"))
	in.d.step(func(now time.Time) { in.d.core.PullEnded(now, in.src, epoch, end, unsent) })
}

func pullEnd(status, description string) queue.PullEnd {
	switch {
	case status == "408", status == "404":
		return queue.PullOver
	case status == "423":
		return queue.PullUnpinned
	case status == "503", status == "400", strings.Contains(description, "Consumer"):
		return queue.PullNoConsumer
	default:
		return queue.PullInterrupted
	}
}
