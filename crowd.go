package replhub

import (
	"context"
	"strconv"
	"time"

	"github.com/replhub/replhub/internal/contract"
)

// A server has a bound on the events of a work queue that are delivered and not
// acknowledged, 1000 by default. Events that wait for other rows would reach it, and
// what they wait for may be behind them. So where a queue stands still for that
// reason, half of those that wait give their places up: they become dead letters,
// which this instance has redriven when the others have gone.
const (
	// crowdedAfter is for how many seconds nothing must have come.
	crowdedAfter = 1
	// maxSpilled bounds the dead letters that are remembered, and redriveAtOnce
	// those that are redriven in one request.
	maxSpilled    = 10_000
	redriveAtOnce = 1000
	// maxSpills is how often an event is redriven so.
	maxSpills = 10
)

// waitingJobs is how many of the source's jobs wait for an attempt. The desk's mutex
// is held.
func (s *source) waitingJobs() int { return s.flight - s.active }

// crowded reports whether an event that waits for other rows has to give its place
// up.
func (s *Subscriber) crowded(j *job) bool {
	src := j.src
	src.desk.mu.Lock()
	defer src.desk.mu.Unlock()
	return !s.cfg.HoldKey && src.mostWaiting > 0 && src.waitingJobs() >= src.mostWaiting
}

// spilled notes the dead letter of an event that gave its place up.
func (s *Subscriber) spilled(j *job, letter uint64) {
	if n, _ := strconv.Atoi(header(j.msg.Header, contract.HeaderRedriven)); n >= maxSpills {
		return
	}
	d := j.src.desk
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.spills) < maxSpilled {
		d.spills = append(d.spills, letter)
	}
}

// makeRoom sees to queues that stand still, and to the events that gave their
// places up, once a second.
func (s *Subscriber) makeRoom(ctx context.Context, d *desk) {
	d.mu.Lock()
	defer d.mu.Unlock()
	crowded := false
	for src := range d.sources {
		waiting := src.waitingJobs()
		if waiting <= src.mostWaiting/2 {
			src.mostWaiting = 0
		}
		crowded = crowded || src.mostWaiting > 0
		if waiting > 0 && src.active < src.window && d.seconds-src.tookAt >= crowdedAfter && !src.closed && !src.looking && !d.outage.on() {
			src.looking, src.tookAt = true, d.seconds
			s.wg.Go(func() { s.lookForRoom(ctx, src, waiting) })
		}
	}
	if len(d.spills) > 0 && !crowded && !d.redriving && !d.outage.on() {
		n := min(len(d.spills), redriveAtOnce)
		letters := d.spills[:n:n]
		d.spills, d.redriving = d.spills[n:], true
		s.wg.Go(func() { s.redrive(ctx, d, letters) })
	}
}

// lookForRoom asks the server whether the queue stands still because too many of
// its events are unacknowledged.
func (s *Subscriber) lookForRoom(ctx context.Context, src *source, waiting int) {
	info, err := s.info(ctx, src.consumer)
	src.desk.mu.Lock()
	defer src.desk.mu.Unlock()
	src.looking = false
	if err != nil || info.NumPending == 0 || info.Config.MaxAckPending <= 0 || info.NumAckPending < info.Config.MaxAckPending {
		return
	}
	if src.mostWaiting > 0 {
		waiting = min(waiting, src.mostWaiting)
	}
	src.mostWaiting = max(waiting/2, 1)
	s.client.log.Warn("a work queue is full of events that wait for other rows: some become dead letters until the others are through",
		"service", s.client.Service(), "consumer", src.consumer, "waiting", waiting)
}

// redrive has the hub put dead letters back into the lane.
func (s *Subscriber) redrive(ctx context.Context, d *desk, letters []uint64) {
	asking, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var reply contract.Redriven
	err := s.client.ask(asking, contract.VerbRedrive, contract.Redrive{Seqs: letters}, &reply)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.redriving = false
	switch {
	case err != nil:
		d.spills = append(letters, d.spills...)
		if ctx.Err() == nil {
			s.client.log.Warn("redrive events that waited for other rows; it is tried again", "service", s.client.Service(), "letters", len(letters), "err", err)
		}
	case reply.More:
		for _, letter := range letters {
			if letter > reply.Next {
				d.spills = append(d.spills, letter)
			}
		}
	}
}

// tellSpilled says at the end what nobody will redrive.
func (s *Subscriber) tellSpilled(d *desk) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n := len(d.spills); n > 0 {
		s.client.log.Warn("events that waited for other rows stay dead letters, with the reason waits: redrive them", "service", s.client.Service(), "letters", n)
	}
}
