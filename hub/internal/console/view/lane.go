package view

import (
	"strings"
	"time"

	"github.com/replhub/replhub/internal/contract"
)

// Lane is the page of one service.
type Lane struct {
	Service, Stream, State, Reason, Since, Owner string
	// Why is what puts the lane on its level that its state does not say.
	Why                                        string
	Level                                      Level
	Position                                   string
	Lag, LagAge                                string
	Backlog, Oldest, Messages, Bytes, MaxBytes string
	// Room is how full the stream is, in percent.
	Room        int
	Queue       QueueLine
	Interests   []InterestLine
	MoreAfter   string // the entity behind which more interests come
	Workers     []WorkerLine
	Unavailable []UnavailableLine
	LeftOut     int // workers, fills and instances that the reply had no room for
	Fills       []FillLine
	Filled      []FilledLine
	Dead        Cell
	Paused      bool
}

// QueueLine is how the instances share the lane.
type QueueLine struct {
	Order, AckWait         string
	Partitions, MaxDeliver int
}

// InterestLine is one interest.
type InterestLine struct {
	Entity, Ops, Filter, Fields, Since, Policy string
	Echo, Filling                              bool
}

// WorkerLine is one consumer and who holds it.
type WorkerLine struct {
	Consumer, Holder, Next, Pending, PausedUntil string
	Waiting, AckPending, Redelivered             int
	Missing                                      bool
}

// UnavailableLine is an instance that waits for something that its handlers need.
type UnavailableLine struct{ Instance, Since, Error string }

// FilledLine is a fill of rows that has ended.
type FilledLine struct{ ID, Entity, Rows, Ended, Took string }

// NewLane makes the page of a reply of describe. progress tells the rates of fills.
func NewLane(s *contract.LaneStatus, now time.Time, progress *Progress) Lane {
	level, why := judge(s)
	l := Lane{
		Service: s.Service, Stream: s.Stream, State: s.State, Reason: s.Reason, Owner: s.Owner, Level: level, Why: why,
		Position: position(s.Epoch, s.Seq), Lag: Count(s.Lag), LagAge: Seconds(s.LagSeconds),
		Backlog: Count(s.Backlog), Oldest: Seconds(s.OldestUnacked),
		Messages: Count(s.Messages), Bytes: Bytes(s.Bytes), MaxBytes: Bytes(uint64(max(s.MaxBytes, 0))),
		Queue: QueueLine{
			Order: s.Queue.Order, AckWait: s.Queue.AckWait.String(), Partitions: max(s.Queue.Partitions, 1), MaxDeliver: s.Queue.MaxDeliver,
		},
		MoreAfter: s.Next, LeftOut: s.WorkersLeftOut + s.FillsLeftOut + s.UnavailableLeftOut, Dead: deadCell(s), Paused: paused(s),
	}
	if s.MaxBytes > 0 {
		l.Room = int(min(100*s.Bytes/uint64(s.MaxBytes), 100))
	}
	if s.Since != nil {
		l.Since = Time(*s.Since)
	}
	for i := range s.Interests {
		l.Interests = append(l.Interests, interestLine(&s.Interests[i]))
	}
	for i := range s.Workers {
		l.Workers = append(l.Workers, workerLine(&s.Workers[i]))
	}
	for _, u := range s.Unavailable {
		l.Unavailable = append(l.Unavailable, UnavailableLine{u.Instance, Time(u.Since), u.Error})
	}
	if s.Fill != nil {
		l.Fills = append(l.Fills, progress.line(s.Service, s.Fill, now))
	}
	for i := range s.OtherFills {
		l.Fills = append(l.Fills, progress.line(s.Service, &s.OtherFills[i], now))
	}
	for _, f := range s.Filled {
		l.Filled = append(l.Filled, FilledLine{f.ID, f.Entity, Count(f.Rows), Time(f.Ended), Seconds(f.Ended.Sub(f.Began).Seconds())})
	}
	return l
}

func position(epoch, seq uint64) string { return Count(seq) + ", epoch " + Count(epoch) }

func interestLine(in *contract.InterestStatus) InterestLine {
	line := InterestLine{
		Entity: in.Entity, Ops: strings.Join(in.Ops, ", "), Filter: in.Filter, Fields: strings.Join(in.Fields, ", "),
		Since: position(in.SinceEpoch, in.Since), Echo: in.Echo, Filling: in.Filling,
	}
	if in.Policy != nil {
		line.Policy = strings.TrimSuffix(in.Policy.State+": "+in.Policy.Reason, ": ")
	}
	return line
}

func workerLine(w *contract.WorkerStatus) WorkerLine {
	line := WorkerLine{
		Consumer: w.Consumer, Holder: w.Holder, Next: w.Next, Pending: Count(w.Pending),
		Waiting: w.Waiting, AckPending: w.AckPending, Redelivered: w.Redelivered, Missing: w.Missing,
	}
	if w.PausedUntil != nil {
		line.PausedUntil = Time(*w.PausedUntil)
	}
	return line
}
