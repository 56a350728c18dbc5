package lane

import (
	"context"
	"slices"
	"time"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/lane/core"
	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// leaveTime bounds how long a lane that stops waits for what it has sent.
const leaveTime = 2 * time.Second

// storeLetter stores the dead letter of an event.
func (l *Lane) storeLetter(ctx context.Context, s core.StoreLetter) {
	added, err := l.env.Letters.Put(ctx, l.service, s.Event, s.Decision.Why, s.Decision.Err)
	if err != nil {
		l.core.LetterFailed(err)
		return
	}
	l.core.LetterStored(added)
}

// append appends copies. A shutdown lets an append that has begun come to its end.
func (l *Lane) append(ctx context.Context, a core.Append) error {
	l.env.Failpoint("append")
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.Patience)
	defer cancel()
	switch a.How {
	case core.Whole:
		if _, err := l.env.Appender.Append(ctx, l.stream, a.Last, a.Msgs); err != nil {
			return err
		}
	case core.Close:
		if err := l.batch.SendLast(ctx, a.Msgs); err != nil {
			return err
		}
	case core.Open, core.Add:
		if a.How == core.Open {
			l.batch = l.env.Appender.Open(l.stream, a.Last, l.nudge)
		}
		if err := l.batch.Send(ctx, a.Msgs); err != nil {
			return err
		}
		l.env.Failpoint("appended")
		l.core.Sent()
		return nil
	}
	l.env.Failpoint("appended")
	l.core.Stored()
	l.drop()
	return nil
}

// settle ends the open append and waits until all of it is stored.
func (l *Lane) settle(ctx context.Context, s core.Settle) error {
	if err := l.batch.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.Patience)
	defer cancel()
	if err := l.batch.Settle(ctx); err != nil {
		return err
	}
	l.core.Settled()
	l.drop()
	return nil
}

// drop forgets the open append, whatever became of it.
func (l *Lane) drop() {
	if l.batch != nil {
		l.core.Progressed(l.batch.Stored())
		l.batch.Drop()
		l.batch = nil
	}
	l.release()
}

// leaveSettled settles what was sent when the lane stops, so that a clean stop leaves
// nothing on its way. What does not arrive is found by whoever reads the lane.
func (l *Lane) leaveSettled(ctx context.Context) {
	if l.batch == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTime)
	defer cancel()
	if err := l.batch.Settle(ctx); err != nil {
		l.log.Debug("lane left in doubt", "err", err)
	}
}

// record appends a state record, with what a redrive has in front of it.
func (l *Lane) record(ctx context.Context, r core.Record) error {
	msg, err := stateMessage(l.service, l.env.Hub, r.State)
	if err == nil {
		err = record.CheckSize(msg.Data, l.env.JS.Conn().MaxPayload())
	}
	if err != nil {
		l.core.NotSent(err)
		return nil
	}
	if r.Why != core.WhyPosition {
		l.env.Failpoint(string(r.Why))
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.Patience)
	defer cancel()
	if r.Copies > 0 {
		l.env.Failpoint("redrive")
		copies := append(slices.Clone(*l.current.copies), own(msg))
		if err := l.env.Appender.appendWhole(ctx, l.stream, r.Last, copies); err != nil {
			return err
		}
		l.env.Failpoint("redriven")
	} else {
		l.env.Failpoint("record")
		if _, err := l.env.Appender.Append(ctx, l.stream, r.Last, []Message{msg}); err != nil {
			return err
		}
		l.env.Failpoint("recorded")
	}
	l.core.Recorded(len(msg.Data))
	return nil
}

func stateMessage(service subjects.Name, hub string, s State) (Message, error) {
	s.Hub, s.Written = hub, time.Now().UTC()
	data, err := record.Encode(s)
	if err != nil {
		return Message{}, err
	}
	return Message{
		Subject: subjects.State(service),
		Header:  event.NewHeader(map[string][]string{contract.HeaderState: {"1"}}),
		Data:    data,
	}, nil
}
