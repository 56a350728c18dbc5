package model_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"github.com/replhub/replhub/hub/sim/model"
	"github.com/replhub/replhub/internal/testenv/natstest"
)

var (
	seed  = flag.Uint64("seed", 1, "seed of the random operations")
	steps = flag.Int("steps", 600, "how many operations are run on the model and on the server")
)

// TestModelIsTheServer runs the same random operations on the model and on a real
// server, and compares every answer.
func TestModelIsTheServer(t *testing.T) {
	t.Parallel()
	for s := range uint64(4) {
		t.Run(fmt.Sprint("seed ", *seed+s), func(t *testing.T) {
			t.Parallel()
			p := newPair(t, *seed+s)
			for p.step = range *steps {
				p.operate()
				if t.Failed() {
					return
				}
			}
		})
	}
}

// pair is the model and the server, side by side.
type pair struct {
	t      *testing.T
	random *rand.Rand
	step   int
	// did is the operation under way, story the last ones.
	did    string
	story  []string
	server *natstest.Server
	nc     *nats.Conn
	js     jetstream.JetStream
	stream jetstream.Stream
	model  *model.Stream
	// ledger keeps one message per subject.
	ledger      jetstream.Stream
	modelLedger *model.Stream
	// replies are where deliveries are settled, by consumer and sequence; those that
	// were settled before stay, so that they are settled again.
	replies map[string]map[uint64]string
	copied  copied
}

// copied is a copy of the server's store, and of the model at that time.
type copied struct {
	dir           string
	model, ledger *model.Stream
	replies       map[string]map[uint64]string
}

const (
	streamName = "S"
	ackWait    = time.Hour
	maxBytes   = 4000
)

func newPair(t *testing.T, seed uint64) *pair {
	server := natstest.Start(t)
	p := &pair{t: t, server: server, random: rand.New(rand.NewPCG(seed, 0)), nc: server.Connect(nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond)), replies: make(map[string]map[uint64]string)}
	var err error
	if p.js, err = jetstream.New(p.nc); err != nil {
		t.Fatal(err)
	}
	p.stream, err = p.js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: streamName, Subjects: []string{"s.>"}, MaxBytes: maxBytes, Discard: jetstream.DiscardNew, Duplicates: time.Hour,
		MaxMsgs: -1, AllowAtomicPublish: true, AllowBatchPublish: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	p.ledger, err = p.js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: "L", Subjects: []string{"l.>"}, MaxBytes: -1, MaxMsgs: -1, MaxMsgsPerSubject: 1, Discard: jetstream.DiscardOld, Duplicates: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	p.modelLedger = model.NewStream(model.StreamConfig{Name: "L", OnePerSubject: true, Duplicates: time.Hour}, time.Now())
	p.model = model.NewStream(model.StreamConfig{Name: streamName, MaxBytes: maxBytes, Duplicates: time.Hour}, time.Now())
	return p
}

var (
	subjects  = []string{"s.a.x", "s.a.y", "s.b.x", "s.b.y"}
	filters   = []string{"s.>", "s.a.*", "s.*.x", "s.b.y", ">"}
	consumers = []string{"one", "two", "three"}
)

func pick[T any](p *pair, of []T) T { return of[p.random.IntN(len(of))] }

func (p *pair) operate() {
	switch n := p.random.IntN(100); {
	case n < 27:
		p.publish()
	case n < 28:
		p.batch()
	case n < 29:
		p.fastBatch()
	case n < 30 && p.random.IntN(10) == 0:
		p.restart()
	case n < 31 && p.random.IntN(3) == 0:
		p.copyStore()
	case n < 32 && p.random.IntN(3) == 0:
		p.restore()
	case n < 34:
		p.read()
	case n < 37:
		p.purge()
	case n < 38:
		p.deleteMessage()
	case n < 40:
		p.record()
	case n < 43:
		p.createConsumer()
	case n < 44 && p.random.IntN(2) == 0:
		p.limit()
	case n < 44:
		p.deleteConsumer()
	case n < 70:
		p.deliver()
	default:
		p.settle()
	}
	p.compareInfo()
}

// now notes what is done.
func (p *pair) now(format string, args ...any) {
	p.did = fmt.Sprintf(format, args...)
	p.story = append(p.story, fmt.Sprintf("%d %s", p.step, p.did))
	if len(p.story) > 40 {
		p.story = p.story[1:]
	}
}

// same fails when the server's answer is another one.
func (p *pair) same(what string, server, model any) {
	p.t.Helper()
	if diff := cmp.Diff(server, model); diff != "" {
		p.t.Fatalf("step %d, %s, %s: the server (-) and the model (+):\n%s\n%s", p.step, p.did, what, diff, strings.Join(p.story, "\n"))
	}
}

// code is an answer's error as both give it; 0 is none.
func code(err error) int {
	if api, ok := errors.AsType[*jetstream.APIError](err); ok {
		return int(api.ErrorCode)
	}
	if refused, ok := errors.AsType[*model.Error](err); ok {
		return refused.Code
	}
	switch {
	case err == nil:
		return 0
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return model.CodeMessageNotFound
	default:
		return -1
	}
}

func (p *pair) publish() {
	m := model.Publish{Subject: pick(p, subjects), Data: fmt.Sprint("data ", p.step)}
	msg := &nats.Msg{Subject: m.Subject, Data: []byte(m.Data), Header: nats.Header{}}
	if p.random.IntN(3) == 0 {
		m.ID = fmt.Sprint(p.random.IntN(60))
		msg.Header.Set(jetstream.MsgIDHeader, m.ID)
	}
	if p.random.IntN(2) == 0 {
		last := p.model.Info().Last
		if p.random.IntN(3) == 0 {
			last += uint64(p.random.IntN(3))
		}
		m.Last = &last
		msg.Header.Set(jetstream.ExpectedLastSeqHeader, fmt.Sprint(last))
	}
	if len(msg.Header) > 0 {
		// The encoded header: its first line, one line each, an empty line.
		m.HeaderBytes = len("NATS/1.0\r\n") + len("\r\n")
		for name := range msg.Header {
			m.HeaderBytes += len(name) + len(": ") + len(msg.Header.Get(name)) + len("\r\n")
		}
	}
	p.now("publish %+v", m)
	type answer struct {
		Ack  model.Ack
		Code int
	}
	var server, own answer
	ack, err := p.js.PublishMsg(p.t.Context(), msg)
	if err == nil {
		server.Ack = model.Ack{Seq: ack.Sequence, Duplicate: ack.Duplicate}
	}
	server.Code = code(err)
	own.Ack, err = p.model.Publish(m, time.Now())
	own.Code = code(err)
	p.same("publish", server, own)
}

// batch appends an atomic batch.
func (p *pair) batch() {
	last := p.model.Info().Last
	if p.random.IntN(4) == 0 {
		last++
	}
	msgs := make([]*nats.Msg, 2+p.random.IntN(4))
	own := make([]model.Publish, len(msgs))
	const id = "0123456789012345678901" // as long as a batch's
	for i := range msgs {
		m := &nats.Msg{Subject: pick(p, subjects), Data: []byte(fmt.Sprint("batch ", p.step)), Header: nats.Header{}}
		own[i] = model.Publish{Subject: m.Subject, Data: string(m.Data)}
		header := "NATS/1.0\r\nNats-Batch-Id: " + id + "\r\nNats-Batch-Sequence: " + fmt.Sprint(i+1) + "\r\n\r\n"
		if i == 0 {
			m.Header.Set(jetstream.ExpectedLastSeqHeader, fmt.Sprint(last))
			header += jetstream.ExpectedLastSeqHeader + ": " + fmt.Sprint(last) + "\r\n"
		}
		if i == len(msgs)-1 {
			header += "Nats-Batch-Commit: 1\r\n"
		}
		own[i].HeaderBytes, msgs[i] = len(header), m
	}
	p.now("batch of %d behind %d", len(msgs), last)
	type answer struct {
		Seq  uint64
		Code int
	}
	var server, modelled answer
	ack, err := jetstreamext.PublishMsgBatch(p.t.Context(), p.js, msgs, jetstreamext.BatchFlowControl{})
	if err == nil {
		server.Seq = ack.Sequence
	}
	server.Code = code(err)
	modelledAck, err := p.model.Atomic(last, own, time.Now())
	modelled = answer{modelledAck.Seq, code(err)}
	p.same("batch", server, modelled)
}

// fastBatch appends a fast-ingest batch, of which a message may be lost on the way or
// state a wrong sequence.
func (p *pair) fastBatch() {
	var id [11]byte
	for i := range id {
		id[i] = byte(p.random.IntN(256))
	}
	batch := hex.EncodeToString(id[:])
	last, n := p.model.Info().Last, 2+p.random.IntN(5)
	lost, wrong := p.random.IntN(3*n), p.random.IntN(3*n)
	p.now("fast batch of %d behind %d, lost %d, wrong %d", n, last, lost, wrong)
	inbox := p.nc.NewInbox()
	sub, err := p.nc.SubscribeSync(inbox + ".>")
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	own := p.model.OpenFast()
	for i := range n {
		if i == lost && i > 0 {
			own.Gap()
			continue
		}
		expect := last + uint64(i)
		if i == wrong {
			expect++
		}
		m := &nats.Msg{Subject: pick(p, subjects), Data: fmt.Appendf(nil, "fast %d", p.step), Header: nats.Header{}}
		m.Header.Set(jetstream.ExpectedLastSeqHeader, fmt.Sprint(expect))
		header := "NATS/1.0\r\n" + jetstream.ExpectedLastSeqHeader + ": " + fmt.Sprint(expect) + "\r\n\r\n"
		op := min(i, 1)
		m.Reply = fmt.Sprintf("%s.%s.500.fail.%d.%d.$FI", inbox, batch, i+1, op)
		if err := p.nc.PublishMsg(m); err != nil {
			p.t.Fatal(err)
		}
		// What follows the end is not answered: CodeBatchOver.
		_ = own.Add(model.Publish{Subject: m.Subject, Data: string(m.Data), Last: &expect, HeaderBytes: len(header)}, time.Now())
	}
	if err := p.nc.PublishRequest(subjects[0], fmt.Sprintf("%s.%s.500.fail.%d.3.$FI", inbox, batch, n+1), nil); err != nil {
		p.t.Fatal(err)
	}
	for {
		m, err := sub.NextMsg(5 * time.Second)
		if err != nil {
			p.t.Fatalf("step %d: %s: %v", p.step, p.did, err)
		}
		var reply struct {
			Type  string `json:"type"`
			Count uint64 `json:"count"`
		}
		if err := json.Unmarshal(m.Data, &reply); err != nil {
			p.t.Fatal(err)
		}
		if reply.Type == "" { // the one that ends the batch
			p.same("stored", reply.Count, own.Stored())
			return
		}
	}
}

// record publishes into the stream that keeps one message per subject.
func (p *pair) record() {
	subject := pick(p, []string{"l.a", "l.b"})
	if p.random.IntN(10) == 0 {
		p.now("delete the record of %s", subject)
		if m, err := p.modelLedger.GetLast(subject); err == nil {
			p.same("delete", code(p.ledger.DeleteMsg(p.t.Context(), m.Seq)), code(p.modelLedger.Delete(m.Seq)))
		}
	}
	var last uint64
	if m, err := p.modelLedger.GetLast(subject); err == nil {
		last = m.Seq
	}
	last += uint64(p.random.IntN(4) / 3)
	header := "NATS/1.0\r\n" + jetstream.ExpectedLastSubjSeqHeader + ": " + fmt.Sprint(last) + "\r\n\r\n"
	m := model.Publish{Subject: subject, Data: fmt.Sprint("record ", p.step), LastSubject: &last, HeaderBytes: len(header)}
	p.now("record %s behind %d", subject, last)
	type answer struct {
		Seq  uint64
		Code int
	}
	var server, own answer
	ack, err := p.js.Publish(p.t.Context(), subject, []byte(m.Data), jetstream.WithExpectLastSequencePerSubject(last))
	if err == nil {
		server.Seq = ack.Sequence
	}
	server.Code = code(err)
	modelAck, err := p.modelLedger.Publish(m, time.Now())
	own = answer{modelAck.Seq, code(err)}
	p.same("record", server, own)
	info, err := p.ledger.Info(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	have := p.modelLedger.Info()
	p.same("ledger", []uint64{info.State.FirstSeq, info.State.LastSeq, info.State.Msgs, info.State.Bytes}, []uint64{have.First, have.Last, have.Msgs, uint64(have.Bytes)})
}

// limit changes how much the stream may hold: less than it does, or more.
func (p *pair) limit() {
	most := int64(pick(p, []int{1, 2000, maxBytes, maxBytes, 2 * maxBytes}))
	p.now("limit %d", most)
	cfg := p.stream.CachedInfo().Config
	cfg.MaxBytes = most
	s, err := p.js.UpdateStream(p.t.Context(), cfg)
	if err != nil {
		p.t.Fatal(err)
	}
	p.stream = s
	p.model.Limit(most)
}

// restart stops the server and starts it again.
func (p *pair) restart() {
	p.now("restart")
	p.server.Stop()
	p.begin()
	p.model.Restart(time.Now())
	p.modelLedger.Restart(time.Now())
}

// copyStore copies the store of the server, which begins again.
func (p *pair) copyStore() {
	p.now("copy")
	p.server.Stop()
	c := copied{dir: p.t.TempDir(), replies: make(map[string]map[uint64]string)}
	if err := os.CopyFS(c.dir, os.DirFS(p.server.StoreDir())); err != nil {
		p.t.Fatal(err)
	}
	p.begin()
	p.model.Restart(time.Now())
	p.modelLedger.Restart(time.Now())
	c.model, c.ledger = p.model.Copy(), p.modelLedger.Copy()
	for name, of := range p.replies {
		c.replies[name] = maps.Clone(of)
	}
	p.copied = c
}

// restore has the server begin with the copy of its store.
func (p *pair) restore() {
	c := p.copied
	if c.model == nil {
		return
	}
	p.now("restore")
	p.server.Stop()
	if err := os.RemoveAll(p.server.StoreDir()); err != nil {
		p.t.Fatal(err)
	}
	if err := os.CopyFS(p.server.StoreDir(), os.DirFS(c.dir)); err != nil {
		p.t.Fatal(err)
	}
	p.begin()
	p.model, p.modelLedger = c.model.Begin(time.Now()), c.ledger.Begin(time.Now())
	clear(p.replies)
	for name, of := range c.replies {
		p.replies[name] = maps.Clone(of)
	}
}

// begin starts the server, and waits until it answers.
func (p *pair) begin() {
	p.server.Start()
	for deadline := time.Now().Add(20 * time.Second); ; {
		ctx, cancel := context.WithTimeout(p.t.Context(), time.Second)
		_, err := p.stream.Info(ctx)
		cancel()
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			p.t.Fatal(err)
		}
	}
}

// read compares messages by their sequence and by subjects.
func (p *pair) read() {
	info := p.model.Info()
	seq := max(1, info.First+p.random.Uint64N(info.Last-info.First+3))
	filter := pick(p, filters[:4])
	type answer struct {
		Seq           uint64
		Subject, Data string
		Code          int
	}
	raw := func(m *jetstream.RawStreamMsg, err error) answer {
		if err != nil {
			return answer{Code: code(err)}
		}
		return answer{Seq: m.Sequence, Subject: m.Subject, Data: string(m.Data)}
	}
	own := func(m model.Message, err error) answer {
		return answer{m.Seq, m.Subject, m.Data, code(err)}
	}
	ctx := p.t.Context()
	p.same("get", raw(p.stream.GetMsg(ctx, seq)), own(p.model.Get(seq)))
	p.same("get next", raw(p.stream.GetMsg(ctx, seq, jetstream.WithGetMsgSubject(filter))), own(p.model.GetNext(seq, filter)))
	p.same("get last", raw(p.stream.GetLastMsgForSubject(ctx, filter)), own(p.model.GetLast(filter)))
}

func (p *pair) purge() {
	info := p.model.Info()
	if info.Msgs == 0 {
		return
	}
	if p.random.IntN(20) == 0 {
		p.now("purge all")
		if err := p.stream.Purge(p.t.Context()); err != nil {
			p.t.Fatal(err)
		}
		p.model.PurgeAll()
		return
	}
	below := info.First + p.random.Uint64N(info.Last-info.First+1)
	if _, err := p.model.GetNext(below, ">"); err != nil {
		return // the hub does not purge its streams' last message
	}
	p.now("purge %d", below)
	if err := p.stream.Purge(p.t.Context(), jetstream.WithPurgeSequence(below)); err != nil {
		p.t.Fatal(err)
	}
	p.model.Purge(below)
}

func (p *pair) deleteMessage() {
	info := p.model.Info()
	if info.Msgs < 2 {
		return
	}
	seq := info.First + p.random.Uint64N(info.Last-info.First)
	if _, err := p.model.Get(seq); err != nil {
		return
	}
	p.now("delete %d", seq)
	if err := p.stream.DeleteMsg(p.t.Context(), seq); err != nil {
		p.t.Fatal(err)
	}
	if err := p.model.Delete(seq); err != nil {
		p.t.Fatal(err)
	}
}

func (p *pair) createConsumer() {
	cfg := model.ConsumerConfig{Name: pick(p, consumers), Filter: pick(p, filters), AckWait: ackWait, MaxDeliver: -1}
	if _, err := p.model.Consumer(cfg.Name); err == nil {
		return
	}
	if p.random.IntN(2) == 0 {
		cfg.MaxDeliver = 1 + p.random.IntN(3)
	}
	actual := jetstream.ConsumerConfig{
		Durable: cfg.Name, AckPolicy: jetstream.AckExplicitPolicy, AckWait: ackWait, MaxDeliver: cfg.MaxDeliver,
		FilterSubject: cfg.Filter, MaxAckPending: -1,
	}
	if p.random.IntN(2) == 0 {
		info := p.model.Info()
		cfg.Start = max(1, info.First+p.random.Uint64N(info.Last-info.First+2))
		actual.DeliverPolicy, actual.OptStartSeq = jetstream.DeliverByStartSequencePolicy, cfg.Start
	}
	p.now("create %+v", cfg)
	_, err := p.stream.CreateConsumer(p.t.Context(), actual)
	_, modelErr := p.model.CreateConsumer(cfg, time.Now())
	p.same("create consumer", code(err), code(modelErr))
	p.replies[cfg.Name] = make(map[uint64]string)
}

func (p *pair) deleteConsumer() {
	name := pick(p, consumers)
	p.now("delete consumer %s", name)
	err := p.stream.DeleteConsumer(p.t.Context(), name)
	p.same("delete consumer", code(err), code(p.model.DeleteConsumer(name)))
}

// both is a consumer of both sides; nil where there is none.
func (p *pair) both(name string) (jetstream.Consumer, *model.Consumer) {
	own, err := p.model.Consumer(name)
	if err != nil {
		return nil, nil
	}
	actual, err := p.stream.Consumer(p.t.Context(), name)
	if err != nil {
		p.t.Fatal(err)
	}
	return actual, own
}

func (p *pair) deliver() {
	name := pick(p, consumers)
	actual, own := p.both(name)
	if own == nil {
		return
	}
	type answer struct {
		Seq, ConsumerSeq, Delivered uint64
		Data                        string
	}
	p.now("deliver to %s", name)
	var server, modelled answer
	batch, err := actual.FetchNoWait(1)
	if err != nil {
		p.t.Fatal(err)
	}
	for m := range batch.Messages() {
		meta, err := m.Metadata()
		if err != nil {
			p.t.Fatal(err)
		}
		server = answer{meta.Sequence.Stream, meta.Sequence.Consumer, meta.NumDelivered, string(m.Data())}
		p.replies[name][server.Seq] = m.Reply()
	}
	if d, ok := own.Next(time.Now()); ok {
		modelled = answer{d.Seq, d.ConsumerSeq, d.Delivered, d.Data}
	}
	p.same("deliver to "+name, server, modelled)
}

// settle acknowledges, terminates or hands back a delivery, also one that was
// settled before.
func (p *pair) settle() {
	name := pick(p, consumers)
	_, own := p.both(name)
	if own == nil || len(p.replies[name]) == 0 {
		return
	}
	seqs := make([]uint64, 0, len(p.replies[name]))
	for seq := range p.replies[name] {
		seqs = append(seqs, seq)
	}
	slices.Sort(seqs)
	seq := seqs[len(seqs)-1-p.random.IntN(min(len(seqs), 6))]
	reply := p.replies[name][seq]
	ctx, cancel := context.WithTimeout(p.t.Context(), 5*time.Second)
	defer cancel()
	ask := func(word string) {
		p.now("%s %s %d", word, name, seq)
		if _, err := p.nc.RequestWithContext(ctx, reply, []byte(word)); err != nil {
			p.t.Fatalf("step %d: %s: %v", p.step, word, err)
		}
	}
	switch p.random.IntN(4) {
	case 0:
		if err := p.nc.Publish(reply, []byte("-NAK")); err != nil {
			p.t.Fatal(err)
		}
		ask("+WPI") // is dealt with behind it
		own.Nak(seq)
	case 1:
		ask("+TERM")
		own.Ack(seq)
	default:
		ask("+ACK")
		own.Ack(seq)
	}
}

func (p *pair) compareInfo() {
	p.t.Helper()
	info, err := p.stream.Info(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	own := p.model.Info()
	own.Created, own.FirstTime = time.Time{}, time.Time{}
	p.same("stream", model.Info{
		First: info.State.FirstSeq, Last: info.State.LastSeq, Msgs: info.State.Msgs, Bytes: int64(info.State.Bytes), Consumers: info.State.Consumers,
	}, own)
	for _, name := range consumers {
		actual, own := p.both(name)
		if own == nil {
			continue
		}
		want := own.Info()
		want.Created = time.Time{}
		// The server counts pending messages on another goroutine than it stores them.
		var have model.ConsumerInfo
		for deadline := time.Now().Add(time.Second); ; {
			info, err := actual.Info(p.t.Context())
			if err != nil {
				p.t.Fatal(err)
			}
			have = model.ConsumerInfo{
				Delivered: model.Place{Consumer: info.Delivered.Consumer, Stream: info.Delivered.Stream},
				AckFloor:  model.Place{Consumer: info.AckFloor.Consumer, Stream: info.AckFloor.Stream},
				Pending:   info.NumPending, AckPending: info.NumAckPending, Redelivered: info.NumRedelivered,
			}
			if have == want || time.Now().After(deadline) {
				break
			}
		}
		p.same("consumer "+name, have, want)
	}
}
