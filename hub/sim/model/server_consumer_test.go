package model_test

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/sim/model"
)

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
	cfg.Tag = fmt.Sprint("tag ", p.step)
	actual.Metadata = map[string]string{"tag": cfg.Tag}
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
				Start: info.Config.OptStartSeq, Tag: info.Config.Metadata["tag"],
			}
			if have == want || time.Now().After(deadline) {
				break
			}
		}
		p.same("consumer "+name, have, want)
	}
}
