package replhub

import (
	"cmp"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/queue"
)

// job is a delivery on its way through this process: the scheduler's part, and the
// part that only the worker needs.
type job struct {
	queue.Job

	in          *intake
	msg         *nats.Msg
	received    time.Time
	first, last time.Time // attempts
	letter      *nats.Msg // to be stored before anything else
	delivery    Delivery
}

func jobOf(j *queue.Job) *job {
	return j.Owner.(*job) //nolint:forcetypeassert // set by newJob
}

// coordinates are the numbers in a delivery's reply subject.
type coordinates struct {
	stream, consumer uint64 // sequences
	delivered        int
}

// parseReply takes a delivery's coordinates out of its reply subject:
// $JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time>.<pending>,
// or with <domain>.<account> behind $JS.ACK and more at the end.
func parseReply(subject string) (c coordinates, ok bool) {
	rest, ok := strings.CutPrefix(subject, "$JS.ACK.")
	if !ok {
		return c, false
	}
	skip := 2
	if strings.Count(rest, ".") > 6 {
		skip = 4
	}
	for range skip {
		_, rest, _ = strings.Cut(rest, ".")
	}
	delivered, rest, _ := strings.Cut(rest, ".")
	stream, rest, _ := strings.Cut(rest, ".")
	consumer, _, ok := strings.Cut(rest, ".")
	n := decimal(delivered)
	c = coordinates{stream: decimal(stream), consumer: decimal(consumer), delivered: int(min(n, math.MaxInt32))}
	return c, ok && n > 0 && c.stream > 0
}

// decimal parses digits; 0 for anything else.
func decimal(s string) uint64 {
	if len(s) == 0 || len(s) > 19 {
		return 0
	}
	var n uint64
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0
		}
		n = n*10 + uint64(s[i]-'0')
	}
	return n
}

// newJob reads the part of a message that the scheduler needs; a worker reads the
// rest.
func newJob(in *intake, m *nats.Msg, c coordinates) *job {
	j := &job{in: in, msg: m, received: time.Now()}
	j.Owner, j.Reply, j.Seq, j.Delivered, j.Size = j, m.Reply, c.stream, c.delivered, len(m.Data)
	j.Row.Entity, _, _ = cutCopy(m.Subject)
	j.Row.Key = header(m.Header, contract.HeaderKey)
	return j
}

// cutCopy takes a copy's subject apart: sub.<service>.<entity>.<op>.<partition>.
func cutCopy(subject string) (entity, op string, ok bool) {
	_, rest, _ := strings.Cut(subject, ".")
	_, rest, _ = strings.Cut(rest, ".")
	entity, rest, _ = strings.Cut(rest, ".")
	op, _, ok = strings.Cut(rest, ".")
	return entity, op, ok
}

// header is a header's first value by its exact name.
func header(h nats.Header, name string) string {
	if values := h[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// build fills in the delivery for its next attempt.
func (j *job) build(service string) *Delivery {
	h := j.msg.Header
	entity, op, _ := cutCopy(j.msg.Subject)
	j.delivery = Delivery{
		Service: service, Entity: entity, Op: Op(op), Key: j.Row.Key,
		ID:     cmp.Or(header(h, contract.HeaderID), header(h, contract.HeaderPosition)),
		Origin: header(h, contract.HeaderOrigin), ContentType: header(h, "Content-Type"),
		Header: h, Data: j.msg.Data, Attempt: j.Attempt(), Row: decimal(header(h, contract.HeaderRow)),
	}
	// The hub's values always parse; for anything else the zero value means "none".
	j.delivery.Position.Epoch, j.delivery.Position.Seq, _ = contract.ParsePosition(header(h, contract.HeaderPosition))
	j.delivery.Version, _ = strconv.ParseInt(header(h, contract.HeaderVersion), 10, 64)
	j.delivery.Time, _ = time.Parse(time.RFC3339Nano, header(h, contract.HeaderTime))
	return &j.delivery
}
