package model_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"github.com/replhub/replhub/hub/sim/model"
)

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
		m, err := sub.NextMsg(20 * time.Second)
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
