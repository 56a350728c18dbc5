package erase

import (
	"context"
	"errors"

	"github.com/replhub/replhub/hub/internal/deadletter"
	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/hubstream"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// letters removes the key's dead letters, of every service.
func (p *page) letters(ctx context.Context) (done bool, err error) {
	for p.looking.Err() == nil {
		service, letter, err := p.cfg.DeadLetters.NextOf(ctx, p.about.entity, p.at.seq+1)
		if errors.Is(err, deadletter.ErrNoLetter) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
		if err := p.letter(ctx, service, letter); err != nil {
			return false, err
		}
		p.at.seq = letter.Seq
	}
	return false, nil
}

func (p *page) letter(ctx context.Context, service subjects.Name, letter *deadletter.Letter) error {
	p.reply.Looked++
	if !p.about.has(letter.Header, letter.Data, p.end()) {
		return nil
	}
	m := contract.ErasedMessage{
		Stream: contract.StreamDLQ, Seq: letter.Seq, Subject: subjects.DeadLetter(service, letter.Entity, letter.Op),
		Bare: bare(letter.Op, letter.Data) && letter.Whole(),
	}
	if p.dry {
		p.found(m)
	} else if err := p.cfg.DeadLetters.Erase(ctx, letter); errors.Is(err, hubstream.ErrKeepsMessages) {
		m.Reason = err.Error()
		p.left(m)
		return nil
	} else if err != nil {
		return err
	}
	p.reply.DeadLetters++
	p.bare(m.Bare)
	return nil
}

// end is the last position that the request is about.
func (p *page) end() event.Position {
	if p.dry {
		return event.Position{Epoch: ^uint64(0)}
	}
	return p.at.end
}
