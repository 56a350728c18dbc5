package model_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/sim/model"
	"github.com/replhub/replhub/internal/testenv/natstest"
)

// TestPullsAreTheServers has requesters ask two consumers for messages, one of which is
// one requester's at a time, settle what they get, fall silent and come back, on the
// model and on a real server, and compares everything that is sent.
func TestPullsAreTheServers(t *testing.T) {
	t.Parallel()
	for s := range uint64(4) {
		t.Run(fmt.Sprint("seed ", *seed+s), func(t *testing.T) {
			t.Parallel()
			p := newPulls(t, *seed+s)
			for p.step = range *steps / 2 {
				p.operate()
			}
		})
	}
}

const (
	pullBound  = 4 // messages that may be unacknowledged
	requesters = 3
	group      = "g"
)

// pulls are the requests at the model and at the server.
type pulls struct {
	t      *testing.T
	random *rand.Rand
	step   int
	story  []string
	nc     *nats.Conn
	js     jetstream.JetStream
	model  *model.Stream
	// to are the requesters, by consumer.
	to map[string][]*requester
	// pins are the server's, by the model's.
	pins map[string]string
	now  time.Time
}

// requester is one who asks a consumer.
type requester struct {
	name  string
	inbox string
	sub   *nats.Subscription
	// pin is the model's pin that came last, got the deliveries that came.
	pin string
	got []held
}

// held is a delivery in a requester's hands.
type held struct {
	reply      string
	seq, place uint64
}

// message is what a requester gets, in a form that both sides have.
type message struct {
	Status                      int
	Unsent                      int
	Seq, ConsumerSeq, Delivered uint64
	Pinned                      bool
}

func newPulls(t *testing.T, seed uint64) *pulls {
	server := natstest.Start(t)
	p := &pulls{
		t: t, random: rand.New(rand.NewPCG(seed, 7)), nc: server.Connect(), js: server.JetStream(), to: make(map[string][]*requester),
		pins: make(map[string]string), now: time.Unix(1, 0), model: model.NewStream(model.StreamConfig{Name: streamName}, time.Unix(1, 0)),
	}
	if _, err := p.js.CreateStream(t.Context(), jetstream.StreamConfig{Name: streamName, Subjects: []string{"s.>"}}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"open", "pinned"} {
		for n := range requesters {
			p.to[name] = append(p.to[name], &requester{name: name + "-" + strconv.Itoa(n)})
			p.listen(p.to[name][n])
		}
		p.create(name)
	}
	return p
}

func (p *pulls) listen(r *requester) {
	r.inbox = p.nc.NewInbox()
	var err error
	if r.sub, err = p.nc.SubscribeSync(r.inbox); err != nil {
		p.t.Fatal(err)
	}
}

func (p *pulls) create(name string) {
	actual := jetstream.ConsumerConfig{
		Durable: name, AckPolicy: jetstream.AckExplicitPolicy, AckWait: time.Hour, MaxDeliver: -1, MaxAckPending: pullBound, FilterSubject: "s.a.*",
	}
	own := model.ConsumerConfig{Name: name, Filter: "s.a.*", AckWait: time.Hour, MaxDeliver: -1, MaxAckPending: pullBound}
	if name == "pinned" {
		actual.PriorityPolicy, actual.PriorityGroups, actual.PinnedTTL = jetstream.PriorityPolicyPinned, []string{group}, time.Hour
		own.PinnedTTL = time.Hour
	}
	if _, err := p.js.CreateConsumer(p.t.Context(), streamName, actual); err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.model.CreateConsumer(own, p.now); err != nil {
		p.t.Fatal(err)
	}
}

func (p *pulls) did(format string, args ...any) {
	p.story = append(p.story, strconv.Itoa(p.step)+" "+fmt.Sprintf(format, args...))
}

func (p *pulls) fail(format string, args ...any) {
	p.t.Helper()
	p.t.Fatalf("%s\n%s", fmt.Sprintf(format, args...), strings.Join(p.story[max(0, len(p.story)-30):], "\n"))
}

func (p *pulls) operate() {
	p.now = p.now.Add(time.Millisecond)
	name := [...]string{"open", "pinned"}[p.random.IntN(2)]
	own, err := p.model.Consumer(name)
	if err != nil {
		p.t.Fatal(err)
	}
	r := p.to[name][p.random.IntN(requesters)]
	switch n := p.random.IntN(100); {
	case n < 25:
		p.publish()
	case n < 55:
		p.ask(name, own, r)
	case n < 90:
		p.settle(own, r)
	case n < 94:
		p.did("%s is gone", r.name)
		if err := r.sub.Unsubscribe(); err != nil {
			p.t.Fatal(err)
		}
		p.flush()
		own.Forget(func(to any) bool { return to == r })
		*r = requester{name: r.name}
		p.listen(r)
		if p.random.IntN(2) == 0 {
			p.publish() // before the server is asked about the consumer, which drops the requests
		}
	case n < 97 && name == "pinned":
		p.did("unpin")
		body, err := p.nc.RequestWithContext(p.t.Context(), "$JS.API.CONSUMER.UNPIN."+streamName+"."+name, []byte(`{"group":"`+group+`"}`))
		if err != nil || strings.Contains(string(body.Data), "error") {
			p.fail("unpin: %v %s", err, body.Data)
		}
		own.Unpin()
	case n == 99 && p.random.IntN(3) == 0:
		p.did("delete %s", name)
		sent := own.End()
		if err := p.js.DeleteConsumer(p.t.Context(), streamName, name); err != nil {
			p.t.Fatal(err)
		}
		if err := p.model.DeleteConsumer(name); err != nil {
			p.t.Fatal(err)
		}
		p.compare(sent)
		for _, r := range p.to[name] {
			r.got, r.pin = nil, ""
		}
		p.create(name)
	}
	for name := range p.to {
		own, err := p.model.Consumer(name)
		if err != nil {
			p.t.Fatal(err)
		}
		p.compare(own.Send(p.now))
	}
	p.waiting()
}

func (p *pulls) flush() {
	if err := p.nc.Flush(); err != nil {
		p.t.Fatal(err)
	}
}

func (p *pulls) publish() {
	subject := pick(&pair{random: p.random}, subjects)
	p.did("publish %s", subject)
	if _, err := p.js.Publish(p.t.Context(), subject, nil); err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.model.Publish(model.Publish{Subject: subject}, p.now); err != nil {
		p.t.Fatal(err)
	}
}

// ask sends a request, with the requester's pin, none, or one that never was.
func (p *pulls) ask(name string, own *model.Consumer, r *requester) {
	body := map[string]any{"batch": 1 + p.random.IntN(3)}
	req := model.Request{To: r, Batch: body["batch"].(int)}
	if name == "pinned" {
		body["group"] = group
		switch p.random.IntN(4) {
		case 0:
		case 1:
			req.Pin, body["id"] = "none", "none"
		default:
			if req.Pin = r.pin; r.pin != "" {
				body["id"] = p.pins[r.pin]
			}
		}
	}
	p.did("%s asks for %d, pin %q", r.name, req.Batch, req.Pin)
	data, err := json.Marshal(body)
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.nc.PublishRequest("$JS.API.CONSUMER.MSG.NEXT."+streamName+"."+name, r.inbox, data); err != nil {
		p.t.Fatal(err)
	}
	p.compare(own.Ask(req, p.now))
}

// settle acknowledges a delivery, or hands it back, also one that was settled before.
func (p *pulls) settle(own *model.Consumer, r *requester) {
	if len(r.got) == 0 {
		return
	}
	d := r.got[len(r.got)-1-p.random.IntN(min(len(r.got), 5))]
	word := [...]string{"+ACK", "+ACK", "-NAK", "+WPI", `-NAK {"delay":3600000000000}`}[p.random.IntN(5)]
	if word == "-NAK" && own.Due() > 0 {
		return // in which order several come depends on how often the server looks
	}
	p.did("%s: %s %d, place %d", r.name, word, d.seq, d.place)
	if _, err := p.nc.RequestWithContext(p.t.Context(), d.reply, []byte(word)); err != nil {
		p.fail("%s: %v", word, err)
	}
	switch word {
	case "+ACK":
		own.Ack(d.seq)
	case "-NAK":
		own.NakOf(d.seq, d.place, 0, p.now)
	case "+WPI":
		own.Progress(d.seq, p.now)
	default:
		own.NakOf(d.seq, d.place, time.Hour, p.now)
	}
}

// compare takes from the server what the model sends.
func (p *pulls) compare(sent []model.Sent) {
	p.t.Helper()
	for _, s := range sent {
		r := s.To.(*requester)
		want := message{Status: int(s.Status), Unsent: s.Unsent, Seq: s.Seq, ConsumerSeq: s.ConsumerSeq, Delivered: s.Delivered, Pinned: s.Pin != ""}
		m, err := r.sub.NextMsg(20 * time.Second)
		if err != nil {
			p.fail("%s gets nothing of the server, and %+v of the model: %v", r.name, want, err)
		}
		have := p.message(r, m, s.Pin)
		if diff := cmp.Diff(have, want); diff != "" {
			p.fail("%s: the server (-) and the model (+):\n%s", r.name, diff)
		}
	}
}

// message is a message of the server. Its pin is the one that the model's is.
func (p *pulls) message(r *requester, m *nats.Msg, pin string) message {
	if status := m.Header.Get("Status"); status != "" {
		code, err := strconv.Atoi(status)
		if err != nil {
			p.t.Fatal(err)
		}
		unsent, err := strconv.Atoi(m.Header.Get("Nats-Pending-Messages"))
		if err != nil {
			unsent = -1
		}
		return message{Status: code, Unsent: unsent}
	}
	meta, err := m.Metadata()
	if err != nil {
		p.t.Fatal(err)
	}
	r.got = append(r.got, held{m.Reply, meta.Sequence.Stream, meta.Sequence.Consumer})
	r.pin = pin
	if id := m.Header.Get("Nats-Pin-Id"); pin != "" {
		if known := p.pins[pin]; known != "" && known != id {
			p.fail("%s gets a message with another pin than the one before", r.name)
		}
		p.pins[pin] = id
	}
	return message{Seq: meta.Sequence.Stream, ConsumerSeq: meta.Sequence.Consumer, Delivered: meta.NumDelivered, Pinned: m.Header.Get("Nats-Pin-Id") != ""}
}

// waiting compares how many requests wait, and waits until the server has taken them.
func (p *pulls) waiting() {
	p.t.Helper()
	type state struct{ Waiting, AckPending int }
	for name := range p.to {
		own, err := p.model.Consumer(name)
		if err != nil {
			p.t.Fatal(err)
		}
		own.Sweep(p.now)
		want := state{own.Waiting(), own.Info().AckPending}
		for deadline := time.Now().Add(20 * time.Second); ; {
			c, err := p.js.Consumer(p.t.Context(), streamName, name)
			if err != nil {
				p.t.Fatal(err)
			}
			have := state{c.CachedInfo().NumWaiting, c.CachedInfo().NumAckPending}
			if have == want {
				break
			}
			if time.Now().After(deadline) {
				p.fail("%s: the server has %+v, the model %+v", name, have, want)
			}
		}
	}
}

// TestPinsRunOutAsTheServers has a requester that holds the pin fall silent, a request
// run out, and a message come again after a delay, on the model's clock as on the
// server's.
func TestPinsRunOutAsTheServers(t *testing.T) {
	t.Parallel()
	const ttl = 400 * time.Millisecond
	p := &pulls{
		t: t, random: rand.New(rand.NewPCG(1, 7)), pins: make(map[string]string), now: time.Unix(1, 0),
		model: model.NewStream(model.StreamConfig{Name: streamName}, time.Unix(1, 0)),
	}
	server := natstest.Start(t)
	p.nc, p.js = server.Connect(), server.JetStream()
	if _, err := p.js.CreateStream(t.Context(), jetstream.StreamConfig{Name: streamName, Subjects: []string{"s.>"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.js.CreateConsumer(t.Context(), streamName, jetstream.ConsumerConfig{
		Durable: "c", AckPolicy: jetstream.AckExplicitPolicy, AckWait: time.Hour, FilterSubject: "s.a.*",
		PriorityPolicy: jetstream.PriorityPolicyPinned, PriorityGroups: []string{group}, PinnedTTL: ttl,
	}); err != nil {
		t.Fatal(err)
	}
	own, err := p.model.CreateConsumer(model.ConsumerConfig{Name: "c", Filter: "s.a.*", AckWait: time.Hour, PinnedTTL: ttl}, p.now)
	if err != nil {
		t.Fatal(err)
	}
	first, second := &requester{name: "first"}, &requester{name: "second"}
	p.listen(first)
	p.listen(second)
	ask := func(r *requester, batch int, expires time.Duration, pin string) {
		t.Helper()
		body := fmt.Sprintf(`{"batch":%d,"expires":%d,"group":%q,"id":%q}`, batch, expires, group, p.pins[pin])
		if err := p.nc.PublishRequest("$JS.API.CONSUMER.MSG.NEXT."+streamName+".c", r.inbox, []byte(body)); err != nil {
			t.Fatal(err)
		}
		p.flush()
		p.compare(own.Ask(model.Request{To: r, Batch: batch, Expires: p.now.Add(expires), Pin: pin}, p.now))
	}
	publish := func() {
		t.Helper()
		if _, err := p.js.Publish(t.Context(), "s.a.x", nil); err != nil {
			t.Fatal(err)
		}
		if _, err := p.model.Publish(model.Publish{Subject: "s.a.x"}, p.now); err != nil {
			t.Fatal(err)
		}
		p.compare(own.Send(p.now))
	}
	pass := func(d time.Duration) {
		t.Helper()
		p.now = p.now.Add(d)
		p.compare(own.Send(p.now))
	}
	ask(first, 1, time.Hour, "")
	publish()
	ask(second, 5, ttl/4, "") // runs out while the first has the pin
	ask(second, 5, time.Hour, "")
	publish()
	pass(ttl / 4)
	if len(second.got) > 0 {
		t.Fatal("the second got what is the first's")
	}
	pass(ttl)
	if len(second.got) != 1 {
		t.Fatal("the second got nothing when the first's time was over")
	}
	ask(first, 1, time.Hour, first.pin)
	d := second.got[0]
	if err := p.nc.Publish(d.reply, []byte(`-NAK {"delay":100000000}`)); err != nil {
		t.Fatal(err)
	}
	own.NakOf(d.seq, d.place, 100*time.Millisecond, p.now)
	pass(100 * time.Millisecond)
	if len(second.got) != 2 {
		t.Fatal("nothing came again")
	}
}
