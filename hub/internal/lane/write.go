package lane

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/lane/core"
	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// leaveTime bounds how long a lane that stops waits for its sent messages.
const leaveTime = 2 * time.Second

// storeLetter stores the dead letter of an event.
func (d *driver) storeLetter(ctx context.Context, s core.StoreLetter) {
	added, err := d.env.DeadLetters.Add(ctx, d.service, s.Event, s.Decision.Why, s.Decision.Err)
	if err != nil {
		d.core.LetterFailed(err)
		return
	}
	d.traceLetter(s)
	d.core.LetterStored(added)
}

// errDisconnected means that nothing was sent: the client keeps messages until the
// connection is back, and the server may then have an older copy of the lane.
var errDisconnected = errors.New("the connection to NATS is lost")

// connected returns errDisconnected if the connection was lost since the lane's loop last
// looked.
func (d *driver) connected() error {
	nc := d.env.JS.Conn()
	if !nc.IsConnected() || nc.Stats().Reconnects != d.connection {
		return errDisconnected
	}
	return nil
}

// append appends copies. A shutdown waits for an append that has begun.
func (d *driver) append(ctx context.Context, a core.Append) error {
	if err := d.connected(); err != nil {
		return err
	}
	d.env.Failpoint("append")
	d.trace(a)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.Patience)
	defer cancel()
	switch a.How {
	case core.Whole:
		if _, err := d.env.Appender.Append(ctx, d.stream, a.Last, a.Msgs); err != nil {
			return err
		}
	case core.Close:
		if err := d.open.SendLast(ctx, a.Msgs); err != nil {
			return err
		}
	case core.Open, core.Add:
		if a.How == core.Open {
			d.open = d.env.Appender.Open(d.stream, a.Last, d.nudge)
		}
		if err := d.open.Send(ctx, a.Msgs); err != nil {
			return err
		}
		d.env.Failpoint("appended")
		d.core.Sent()
		return nil
	}
	d.env.Failpoint("appended")
	d.traced.stored(a.Last + uint64(len(a.Msgs)))
	d.core.Stored()
	d.drop()
	return nil
}

// settle ends the open append and waits until the whole append is stored.
func (d *driver) settle(ctx context.Context, s core.Settle) error {
	if err := d.open.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.Patience)
	defer cancel()
	if err := d.open.Settle(ctx); err != nil {
		return err
	}
	d.core.Settled()
	d.drop()
	return nil
}

// drop forgets the open append, whether or not it has ended.
func (d *driver) drop() {
	if d.open != nil {
		d.core.Progressed(d.open.Stored())
		d.traced.stored(d.open.Stored())
		d.open.Drop()
		d.open = nil
	}
	d.traced.lost()
	d.release()
}

// leaveSettled settles the sent messages when the lane stops, so that a clean stop
// leaves no message on its way. If settling fails, the next reader of the lane finds
// what was stored.
func (d *driver) leaveSettled(ctx context.Context) {
	if d.open == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTime)
	defer cancel()
	if err := d.open.Settle(ctx); err != nil {
		d.log.Debug("lane left in doubt", "err", err)
	}
}

// record appends a state record, with a redrive's copies in front of it.
func (d *driver) record(ctx context.Context, r core.Record) error {
	msg, err := stateMessage(d.service, d.env.Hub, r.State)
	if err == nil {
		err = record.CheckSize(msg.Data, d.env.JS.Conn().MaxPayload())
	}
	if err != nil {
		d.core.NotSent(err)
		return nil
	}
	if r.Why != core.WhyPosition {
		d.env.Failpoint(string(r.Why))
	}
	if err := d.connected(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.Patience)
	defer cancel()
	if r.Copies > 0 {
		d.env.Failpoint("redrive")
		copies := append(slices.Clone(*d.current.copies), own(msg))
		d.traceRedriven(*d.current.copies, r.Last)
		defer d.traced.lost()
		if err := d.env.Appender.appendWhole(ctx, d.stream, r.Last, copies); err != nil {
			return err
		}
		d.traced.stored(r.Last + uint64(r.Copies))
		d.env.Failpoint("redriven")
	} else {
		d.env.Failpoint("record")
		if _, err := d.env.Appender.Append(ctx, d.stream, r.Last, []Message{msg}); err != nil {
			return err
		}
		d.env.Failpoint("recorded")
	}
	d.core.Recorded(len(msg.Data))
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
