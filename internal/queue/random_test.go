package queue

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"
)

// Batches of random rows, or single events, that are handled, fail, wait, meet an
// outage or are cut short: those of a row come in order, no row is at work twice, all
// of them come, and nothing is left behind.
func TestRowsKeepTheirOrder(t *testing.T) {
	for seed := range uint64(100) {
		for _, batches := range []bool{false, true} {
			t.Run(fmt.Sprintf("seed %d, batches %v", seed, batches), func(t *testing.T) { newRun(t, seed, batches).run() })
		}
	}
}

type run struct {
	t        *testing.T
	r        *rand.Rand
	s        *Scheduler
	src      *Source
	now      time.Time
	sent     uint64
	at       uint64
	last     map[string]uint64
	busy     map[string]bool
	running  []*Batch
	finished int
}

func newRun(t *testing.T, seed uint64, batches bool) *run {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 3))
	pause := func(int) time.Duration { return time.Duration(r.IntN(5)) * time.Millisecond }
	cfg := Config{
		Workers: 1 + r.IntN(3), MaxInFlight: 1000, MaxBatch: 1, MaxAttempts: 1000, MaxWait: time.Hour, AckWait: time.Hour,
		Batches: batches, Backoff: pause, ProbePause: pause,
	}
	if batches {
		cfg.MaxBatch = 1 + r.IntN(20)
	}
	w := &run{t: t, r: r, now: time.Unix(1, 0), last: map[string]uint64{}, busy: map[string]bool{}}
	w.s = New(w.now, cfg)
	w.src = w.s.Open(w.now, time.Time{})
	return w
}

const runLength = 300

func (w *run) run() {
	for round := 0; w.finished < runLength; round++ {
		if round > 100_000 {
			w.t.Fatalf("%d of %d handled, %d batches at work: %+v", w.finished, runLength, len(w.running), w.s.outages.outage)
		}
		w.now = w.now.Add(time.Millisecond)
		w.s.Tick(w.now)
		w.send()
		if b := (&Batch{}); w.r.IntN(2) == 0 && w.s.Take(w.now, b) {
			w.begin(b)
		}
		if n := len(w.running); n > 0 && w.r.IntN(2) == 0 {
			i := w.r.IntN(n)
			b := w.running[i]
			w.running = append(w.running[:i], w.running[i+1:]...)
			w.handle(b)
		}
		w.check()
	}
	if w.src.count != 0 || w.src.active != 0 || w.src.running != 0 || len(w.s.rows.lines) != 0 || w.src.first != nil || w.s.work.running != 0 {
		w.t.Fatalf("left behind: %+v, %d rows", w.src, len(w.s.rows.lines))
	}
}

// send delivers what is new.
func (w *run) send() {
	for range w.r.IntN(4) {
		if w.sent == runLength {
			return
		}
		w.sent++
		w.at++
		j := &Job{Row: Row{"user", strconv.Itoa(w.r.IntN(6))}, Seq: w.sent, Delivered: 1, Size: 1, Reply: "r"}
		w.s.Delivered(w.now, w.src, j, Place{Epoch: 1, Seq: w.at})
	}
}

func (w *run) begin(b *Batch) {
	rows := map[string]bool{}
	for _, j := range b.Jobs {
		if w.busy[j.Row.Key] {
			w.t.Fatalf("row %s is at work twice", j.Row.Key)
		}
		rows[j.Row.Key] = true
	}
	for key := range rows {
		w.busy[key] = true
	}
	w.running = append(w.running, b)
}

// handle answers a batch: all is done, or one fails for it.
func (w *run) handle(b *Batch) {
	for _, j := range b.Jobs {
		delete(w.busy, j.Row.Key)
	}
	b.Begin()
	for part := b.Part(false, nil); len(part) > 0; part = b.Part(false, nil) {
		switch answer := w.r.IntN(12); {
		case answer > 3:
			for _, i := range part {
				w.handled(b.Jobs[i])
			}
			b.Handled(part)
		case answer == 0:
			b.Away(part, errors.New("away"))
		case len(part) > 1:
			b.Halve(part)
		default:
			means := []Meaning{Failure, Waits, Conflict}[answer-1]
			b.Failed(part[0], w.s.Judge(w.now, b.Jobs[part[0]], Answer{Means: means}))
		}
	}
	w.s.Done(w.now, b)
}

func (w *run) handled(j *Job) {
	if w.last[j.Row.Key] > j.Seq {
		w.t.Fatalf("%d of row %s after %d", j.Seq, j.Row.Key, w.last[j.Row.Key])
	}
	w.last[j.Row.Key] = j.Seq
	w.finished++
}

// check compares the counters with what they count.
func (w *run) check() {
	blocked := 0
	for j := w.src.first; j != nil; j = j.later {
		if j.blocked {
			blocked++
		}
	}
	if w.src.active != w.src.count-blocked {
		w.t.Fatalf("%d active of %d in flight, of which %d are blocked", w.src.active, w.src.count, blocked)
	}
}
