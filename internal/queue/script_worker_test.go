package queue

import (
	"errors"
	"strconv"
	"time"

	"github.com/replhub/replhub/internal/testenv/script"
)

// The inputs of scripts that are a worker's: it takes batches and answers for them.

func (w *world) take(o script.Args) {
	b := &Batch{}
	if !w.s.Take(w.now, b) {
		w.say("nothing to begin")
		return
	}
	w.batches[o.Words[0]] = b
	w.say("begin %s", sequences(b.Jobs))
}

// handle does what a worker of the driver does.
func (w *world) handle(o script.Args) {
	w.t.Helper()
	b := w.batches[o.Words[0]]
	if b == nil {
		w.say("no batch %s", o.Words[0])
		return
	}
	delete(w.batches, o.Words[0])
	answer := func(i int) string { return o.Text(strconv.FormatUint(b.Jobs[i].Seq, 10), "ok") }
	b.Begin()
	if !w.s.cfg.Batches || b.Jobs[0].Burying() {
		b.Conclude(0, w.verdict(o, b.Jobs[0], answer(0)))
	} else {
		w.halve(o, b, answer)
	}
	w.s.Done(w.now, b)
}

func (w *world) halve(o script.Args, b *Batch, answer func(int) string) {
	w.t.Helper()
	ended := false
	cut := func(j *Job) bool { return o.Text(strconv.FormatUint(j.Seq, 10), "ok") == "cut" }
	for part := b.Part(ended, cut); len(part) > 0; part = b.Part(ended, cut) {
		failed, word := -1, ""
		jobs := make([]*Job, len(part))
		for n, i := range part {
			jobs[n] = b.Jobs[i]
			if a := answer(i); failed < 0 && a != "ok" {
				failed, word = i, a
			}
		}
		w.say("hand over %s", sequences(jobs))
		switch {
		case failed < 0:
			b.Handled(part)
		case word == "cut":
			ended = true
			b.Cut(part, cut)
		case len(part) == 1:
			b.Failed(part[0], w.verdict(o, b.Jobs[part[0]], word))
		case word == "away":
			b.Away(part, errors.New(word))
		default:
			b.Halve(part)
		}
	}
}

// verdict is what becomes of a job by what its handler answered.
func (w *world) verdict(o script.Args, j *Job, answer string) Verdict {
	w.t.Helper()
	evidence := NoEvidence
	if !j.Burying() {
		later := 5 * time.Second
		answers := map[string]Answer{
			"error": {Means: Failure}, "away": {Means: Unavailable}, "conflict": {Means: Conflict}, "waits": {Means: Waits},
			"unique": {Means: Waits, Unique: true}, "invalid": {Means: Invalid}, "parked": {Means: Parked},
			"later": {Means: Failure, RetryAfter: &later},
		}
		a, ok := answers[answer]
		switch {
		case answer == "ok":
			return Verdict{Kind: Finished, Evidence: WasHandled}
		case answer == "cut":
			return Verdict{Kind: Abandoned}
		case answer == "untried":
			return Verdict{Kind: Untried}
		case !ok:
			w.t.Fatalf("no answer %q", answer)
		}
		a.Err = errors.New(answer)
		v := w.s.Judge(w.now, j, a)
		if v.Kind != Bury {
			w.say("%d: %s", j.Seq, told(v))
			return v
		}
		evidence = v.Evidence
	}
	letter := Letter{Stored: true, Seq: 100 + j.Seq, Redriven: o.Number("redriven", 0)}
	switch o.Text("letter", "") {
	case "no":
		letter = Letter{}
	case "needless":
		letter = Letter{Needless: true}
	}
	v := w.s.Buried(w.now, j, letter)
	v.Evidence = evidence
	again := ""
	if v.Kind == Retry {
		again = ", again in " + v.After.String()
	}
	w.say("%d: dead letter%s", j.Seq, again)
	return v
}

func told(v Verdict) string {
	if v.Kind == Retry {
		return "again in " + v.After.String()
	}
	return map[VerdictKind]string{Stalled: "stalls", Abandoned: "given back"}[v.Kind]
}
