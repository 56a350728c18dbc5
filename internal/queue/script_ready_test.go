package queue

import (
	"fmt"
	"strconv"
	"strings"
)

// The outputs of scripts: what the scheduler wants done.

// perform prints what is to be done.
func (w *world) perform(r *Ready) {
	if r == nil {
		return
	}
	for _, src := range r.Unsubscribe {
		w.say("unsubscribe %s", name(src))
	}
	for _, sub := range r.Subscribe {
		w.sources = append(w.sources, sub.Source)
		w.say("subscribe %s, epoch %d", name(sub.Source), sub.Epoch)
	}
	for _, kind := range []AckKind{AckDone, AckNak, AckProgress} {
		var replies []string
		for _, a := range r.Acks {
			if a.Kind == kind {
				replies = append(replies, a.Reply)
			}
		}
		if len(replies) > 0 {
			w.say("%s %s", []string{"ack", "nak", "in progress"}[kind], strings.Join(replies, " "))
		}
	}
	for _, s := range r.Settle {
		w.say("%s: settle%s, call for%s", name(s.Source), numbers(s.Done), numbers(s.Nak))
	}
	for _, req := range r.Infos {
		w.asked = append(w.asked, req)
		w.say("%s: ask for info", name(req.Source))
	}
	for _, p := range r.Pulls {
		pin := ""
		if p.Pin != "" {
			pin = ", pin " + p.Pin
		}
		w.say("%s: pull %d%s", name(p.Source), p.Batch, pin)
	}
	for _, src := range r.Freed {
		w.say("%s is free", name(src))
	}
	if len(r.Redrive) > 0 {
		w.say("redrive%s", numbers(r.Redrive))
	}
	w.tell(r)
}

func (w *world) tell(r *Ready) {
	for _, o := range r.Outages {
		w.say("outage %s: since %s, %d attempts, %v", []string{"begins", "lasts", "ends"}[o.Phase], o.Since.Sub(w.start), o.Attempts, o.Err)
	}
	for _, c := range r.Crowded {
		w.say("%s is crowded by %d", name(c.Source), c.Waiting)
	}
	if r.StoodStill > 0 {
		w.say("stood still for %s", r.StoodStill)
	}
	if r.QueuesChanged {
		w.say("the queues have changed")
	}
}

func name(src *Source) string {
	if src.Partition < 0 {
		return "workers"
	}
	return "workers-" + strconv.Itoa(src.Partition)
}

func numbers(seqs []uint64) string {
	if len(seqs) == 0 {
		return " nothing"
	}
	var b strings.Builder
	for _, seq := range seqs {
		fmt.Fprintf(&b, " %d", seq)
	}
	return b.String()
}

func sequences(jobs []*Job) string {
	var seqs []string
	for _, j := range jobs {
		seqs = append(seqs, strconv.FormatUint(j.Seq, 10))
	}
	return strings.Join(seqs, " ")
}
