package replhub

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/internal/contract"
)

// job is a delivery on its way through this process.
type job struct {
	linked    uint64 // source.linked when it was put in flight
	view      int    // the last source.view in which it was delivered
	src       *source
	msg       *nats.Msg
	row       row
	seq       uint64 // of the copy in its lane
	delivered int    // by the server, from 1

	// Guarded by the desk.
	state   jobState
	blocked bool     // waits for an attempt, or behind one of its key that does
	old     bool     // was delivered to somebody before this session
	tick    uint32   // when the server last heard that it is in work
	behind  *job     // the next of its key
	earlier *job     // in flight
	later   *job     // in flight
	line    *rowLine // of its key; nil without one
	// begunAt and failedAt are of desk.begun, at its last attempt and at its last
	// answer that something is away; returns counts the outages that it waited for,
	// and doubts the answers in a batch that were disproved.
	begunAt, failedAt uint64
	returns, doubts   int

	// Of the worker that has it.
	attempts    int
	conflicts   int // in a row
	waits       int // answers that another row must come, change or go first
	waitsSince  time.Time
	gaveUp      bool // it waited, and gave its place up to others
	due         time.Time
	first, last time.Time
	letter      *nats.Msg // to be stored before anything else
	dead        bool      // its letter is stored
	delivery    Delivery
}

type jobState uint8

const (
	jobReady jobState = iota
	jobRunning
	jobWaiting // for its next attempt
	jobDropped
)

// row is what events are kept in order by.
type row struct{ entity, key string }

// coordinates are what the reply subject of a delivery says of it.
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

// newJob reads what the desk needs of a message; the rest waits for a worker.
func newJob(src *source, m *nats.Msg, c coordinates) *job {
	j := &job{src: src, msg: m, seq: c.stream, delivered: c.delivered}
	j.row.entity, _, _ = cutCopy(m.Subject)
	j.row.key = header(m.Header, contract.HeaderKey)
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
		Service: service, Entity: entity, Op: Op(op), Key: j.row.key, ID: header(h, contract.HeaderID),
		Position: Position{Epoch: decimal(header(h, contract.HeaderEpoch)), Seq: decimal(header(h, contract.HeaderSeq))},
		Origin:   header(h, contract.HeaderOrigin), ContentType: header(h, "Content-Type"),
		Header: h, Data: j.msg.Data, Attempt: j.delivered + j.attempts, Row: decimal(header(h, contract.HeaderChunk)),
	}
	// What the hub wrote parses; where it does not, the zero value says "none".
	j.delivery.Version, _ = strconv.ParseInt(header(h, contract.HeaderVersion), 10, 64)
	j.delivery.Time, _ = time.Parse(time.RFC3339Nano, header(h, contract.HeaderTime))
	return &j.delivery
}
