package model_test

import (
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/sim/model"
)

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
