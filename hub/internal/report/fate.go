package report

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/deadletter"
	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/headers"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// maxExplained bounds the letters and the copies that one question looks
// through.
const maxExplained = 2000

// fate collects what became of one event for one service.
type fate struct {
	cfg     *Config
	service subjects.Name
	state   lane.State
	event   *event.Event
	reply   contract.Explained
}

// explainFate adds the facts in the streams about an event that was due: its copy,
// its deliveries, its dead letters, and how often it was redriven.
func (r *Reporter) explainFate(ctx context.Context, reply contract.Explained, service subjects.Name, s lane.State, e *event.Event) (contract.Explained, error) {
	if reply.Verdict != contract.VerdictCopied && reply.Verdict != contract.VerdictDeadLettered {
		return reply, nil
	}
	f := &fate{cfg: &r.cfg, service: service, state: s, event: e, reply: reply}
	if err := f.copies(ctx); err != nil {
		return reply, err
	}
	// Read deliveries before letters: an exhausted delivery gets its letter soon
	// after, and settled says whether the letter may still be missing.
	settled, err := f.deliveries(ctx)
	if err != nil {
		return reply, err
	}
	if err := f.letters(ctx); err != nil {
		return reply, err
	}
	f.judge(settled)
	return f.reply, nil
}

// copies finds the event's copy and its redriven copies.
func (f *fate) copies(ctx context.Context) error {
	entity, op := f.event.Subject.Entity(), f.event.Subject.Op()
	found, ok, err := lane.FindCopy(ctx, f.cfg.JS, f.service, entity, f.state, f.event.Pos)
	if err != nil {
		return err
	}
	if ok {
		f.reply.Copy = &contract.ExplainedCopy{Seq: found.Seq, Consumer: found.Consumer, State: contract.CopyUnknown}
	}
	stream, err := f.cfg.Lanes.Stream(ctx, f.service)
	if err != nil {
		return err
	}
	position := f.event.Pos.String()
	names := lane.Consumers(f.state.Queue)
	filter := "sub." + f.service.String() + "." + entity.String() + "." + op.String() + ".*"
	complete, err := headers.Since(ctx, stream, filter, f.event.Time, maxExplained, func(m headers.Entry) {
		h := m.Headers()
		if h.Get(contract.HeaderPosition) != position || h.Get(contract.HeaderRedriven) == "" {
			return
		}
		f.reply.Redriven = append(f.reply.Redriven, m.Seq)
		f.reply.Copy = &contract.ExplainedCopy{Seq: m.Seq, State: contract.CopyUnknown}
		if c, err := subjects.ParseCopy(m.Subject()); err == nil && m.Seq >= f.state.QueueFrom && c.Partition() < len(names) {
			f.reply.Copy.Consumer = names[c.Partition()]
		}
	})
	if err != nil {
		return err
	}
	if !complete {
		f.unknown("whether it came back from the dead letters: more than %d copies followed it", maxExplained)
	}
	return nil
}

func (f *fate) unknown(format string, args ...any) {
	f.reply.Unknown = append(f.reply.Unknown, fmt.Sprintf(format, args...))
}

// deliveries finds how far the copy's consumer has come with it. settled is
// false while a dead letter for it may still be on its way.
func (f *fate) deliveries(ctx context.Context) (settled bool, err error) {
	c := f.reply.Copy
	if c == nil {
		return true, nil
	}
	if c.Consumer == "" {
		c.State = contract.CopyAcknowledged // otherwise the queue could not have changed
		return true, nil
	}
	consumer, err := f.cfg.JS.Consumer(ctx, subjects.LaneStream(f.service), c.Consumer)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		f.unknown("how far the workers are: consumer %s is missing", c.Consumer)
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("look up consumer %s: %w", c.Consumer, err)
	}
	c.State, c.Delivered = stateOfCopy(consumer.CachedInfo(), c.Seq)
	if c.State == contract.CopyUnknown {
		if err := f.firstOpen(ctx, consumer.CachedInfo()); err != nil {
			return false, err
		}
	}
	lowest, err := f.cfg.DeadLetters.Unsettled(ctx, f.service)
	return c.Seq < lowest, err
}

// firstOpen finds out whether the copy is the first behind the ack floor, which is
// not acknowledged: else the floor would be behind it.
func (f *fate) firstOpen(ctx context.Context, info *jetstream.ConsumerInfo) error {
	stream, err := f.cfg.Lanes.Stream(ctx, f.service)
	if err != nil {
		return err
	}
	// A consumer that starts in the middle has an ack floor of 0 at first, on a cluster.
	from := max(info.AckFloor.Stream+1, info.Config.OptStartSeq)
	m, err := stream.GetMsg(ctx, from, jetstream.WithGetMsgSubject(info.Config.FilterSubject))
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return nil
	case err != nil:
		return fmt.Errorf("read lane %s at %d: %w", f.service, from, err)
	case m.Sequence == f.reply.Copy.Seq:
		f.reply.Copy.State = contract.CopyDelivered
	}
	return nil
}

// stateOfCopy derives the state of one sequence from a consumer's counts, all from
// one answer.
func stateOfCopy(info *jetstream.ConsumerInfo, seq uint64) (state string, delivered *uint64) {
	times := func(n uint64) *uint64 { return &n }
	unsettled := info.Delivered.Consumer - info.AckFloor.Consumer
	switch {
	case seq > info.Delivered.Stream:
		return contract.CopyWaiting, times(0)
	case seq <= info.AckFloor.Stream || info.NumAckPending == 0:
		return contract.CopyAcknowledged, nil
	case info.NumRedelivered == 0 && uint64(info.NumAckPending) == unsettled:
		return contract.CopyDelivered, times(1) // all that were delivered are with workers
	}
	return contract.CopyUnknown, nil
}

// letters finds the dead letters of the event.
func (f *fate) letters(ctx context.Context) error {
	s := f.event.Subject
	found, complete, err := f.cfg.DeadLetters.Of(ctx, f.service, s.Entity(), s.Op(), f.event.Pos, f.event.Time, maxExplained)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		f.unknown("whether it has a dead letter: the stream %s is missing", contract.StreamDLQ)
		return nil
	}
	if err != nil {
		return err
	}
	for _, l := range found {
		f.reply.Letters = append(f.reply.Letters, explainedLetter(l))
	}
	if !complete {
		f.unknown("whether it has a dead letter: there are more than %d since", maxExplained)
	}
	return nil
}

func explainedLetter(l *deadletter.Letter) contract.ExplainedLetter {
	out := contract.ExplainedLetter{
		Seq: l.Seq, Reason: l.Header.Get(contract.HeaderReason), Error: l.Header.Get(contract.HeaderError), Redriven: l.Redriven(),
	}
	if n, err := strconv.ParseUint(l.Header.Get(contract.HeaderAttempts), 10, 64); err == nil {
		out.Attempts = n
	}
	return out
}

// judge turns the findings into a verdict and a sentence.
func (f *fate) judge(settled bool) {
	r := &f.reply
	if n := len(r.Letters); n > 0 {
		last := r.Letters[n-1]
		if c := r.Copy; c != nil && last.Redriven >= len(r.Redriven) && c.State != contract.CopyWaiting {
			c.State = contract.CopyGivenUp
			if c.Delivered = nil; last.Reason == contract.ReasonMaxDeliver {
				c.Delivered = &last.Attempts
			}
		}
		if r.Copy == nil || r.Copy.State == contract.CopyGivenUp {
			r.Verdict = contract.VerdictDeadLettered
			r.Reason = fmt.Sprintf("it is dead letter %d (%s: %s)%s", last.Seq, last.Reason, last.Error, f.timesTold(last.Attempts))
			return
		}
	}
	switch c := r.Copy; {
	case c == nil && r.Verdict == contract.VerdictDeadLettered:
		r.Reason += "; its dead letter is no longer stored: it was removed, or brought back and trimmed"
	case c == nil:
		r.Reason = "it matches and was copied; the lane does not hold the copy any more, or it came under an earlier registration"
	default:
		if c.State == contract.CopyAcknowledged && !settled {
			c.State = contract.CopyUnknown // a letter for it may be on its way
		}
		r.Verdict = contract.VerdictCopied
		r.Reason = fmt.Sprintf("it was copied into the lane at %d%s, and %s", c.Seq, f.timesBack(), copyWords(c.State))
	}
}

// copyWords says what a copy's state means.
func copyWords(state string) string {
	switch state {
	case contract.CopyWaiting:
		return "waits for a worker"
	case contract.CopyDelivered:
		return "is with a worker, who has not acknowledged it"
	case contract.CopyAcknowledged:
		return "is acknowledged"
	}
	return "was delivered; the server does not say whether it is acknowledged: deliveries before it are open, or its dead letter is on its way"
}

func (f *fate) timesTold(attempts uint64) string {
	if attempts == 0 {
		return f.timesBack()
	}
	return fmt.Sprintf(", after %s%s", plural(attempts, "attempt"), f.timesBack())
}

// plural is a number of things in words.
func plural(n uint64, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

func (f *fate) timesBack() string {
	if n := len(f.reply.Redriven); n > 0 {
		return fmt.Sprintf(", having come back from the dead letters %s", plural(uint64(n), "time"))
	}
	return ""
}
