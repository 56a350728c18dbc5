package queue

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/replhub/replhub/internal/testenv/script"
)

// The scripts of testdata say what a scheduler is told, and after each "----" what it
// wants done about it. go test ./internal/queue -update writes the second again.
//
// A line is one input; words are sequences of the lane, sequence:key, or option=value.
//
//	new [ordered] [batches] [hold] [workers=1] [inflight=100] [batch=1] [attempts=3] [wait=10m] [ackwait=30s]
//	open                        the source of a lane without order
//	assigned 0 1 [ago=1s]       a hub's answer to a question of so long ago
//	nohub [ago=1s]; silence [ago=1s]; lease
//	                            the server knows no hub; a hub gave no answer; the lease is looked at
//	deliver 11:a 12 [p=0] [at=5] [pin=P] [epoch=1] [size=10]    at is the consumer's sequence
//	redeliver 11:a [times=2]    the same, of what the server has delivered before
//	ended over|unpinned|gone|interrupted [unsent=3]
//	info floor=10 delivered=20 at=20 pending=3 [start=1] [created=1] [max=0] [left=0]; info none; info gone
//	                            the server's answer, as often as it is asked; [once]
//	take A                      a worker's batch, which is called A
//	handle A [11=error] ...     the handler's answers: ok, error, away, conflict, waits, unique,
//	                            invalid, parked, later; cut and untried are no answers
//	                            [letter=no|needless] what comes of a dead letter, [redriven=1]
//	tick 1s; next; reconnect; drain; state; redriven [failed] [next=5] 4 5 6
func TestScripts(t *testing.T) { script.Run(t, runScript) }

// runScript returns the script with the outputs that it has.
func runScript(t *testing.T, text string) string {
	t.Helper()
	var w *world
	var b strings.Builder
	var inputs []string
	skipping := false
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		switch {
		case skipping:
			skipping = line != ""
			if !skipping {
				b.WriteString("\n")
			}
		case line == "----":
			b.WriteString(line + "\n")
			for _, input := range inputs {
				fields := strings.Fields(input)
				if fields[0] == "new" {
					w = newWorld(t, fields[1:])
				} else {
					w.input(fields[0], fields[1:])
				}
			}
			b.WriteString(w.output())
			inputs, skipping = nil, true
		case line == "" || strings.HasPrefix(line, "#"):
			b.WriteString(line + "\n")
		default:
			b.WriteString(line + "\n")
			inputs = append(inputs, line)
		}
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// world is a scheduler with what surrounds it.
type world struct {
	t       *testing.T
	s       *Scheduler
	start   time.Time
	now     time.Time
	batches map[string]*Batch
	asked   []InfoRequest
	sources []*Source
	last    map[*Source]uint64 // the consumers' sequences
	out     strings.Builder
}

func newWorld(t *testing.T, args []string) *world {
	t.Helper()
	o := script.Parse(t, args)
	start := time.Unix(1_000_000, 0)
	w := &world{t: t, start: start, now: start, batches: map[string]*Batch{}, last: map[*Source]uint64{}}
	w.s = New(start, Config{
		Ordered: o.Has("ordered"), Batches: o.Has("batches"), HoldKey: o.Has("hold"),
		Workers: o.Number("workers", 1), MaxInFlight: o.Number("inflight", 100), MaxBatch: o.Number("batch", 1),
		MaxAttempts: o.Number("attempts", 3), MaxWait: o.Duration("wait", 10*time.Minute), AckWait: o.Duration("ackwait", 30*time.Second),
		MaxBackoff: time.Minute,
		Backoff:    func(n int) time.Duration { return time.Duration(n) * 100 * time.Millisecond },
		ProbePause: func(n int) time.Duration { return time.Duration(n) * time.Second },
	})
	return w
}

func (w *world) input(verb string, args []string) {
	w.t.Helper()
	o := script.Parse(w.t, args)
	inputs := map[string]func(script.Args){
		"open":      func(script.Args) { w.s.Open(w.now, w.start.Add(time.Second)) },
		"assigned":  w.assigned,
		"nohub":     func(o script.Args) { w.s.Unanswered(w.now, w.now.Add(-o.Duration("ago", 0)), NoHub) },
		"silence":   func(o script.Args) { w.s.Unanswered(w.now, w.now.Add(-o.Duration("ago", 0)), NoAnswer) },
		"lease":     func(script.Args) { w.s.CheckLease(w.now) },
		"deliver":   func(o script.Args) { w.deliver(o, 1) },
		"redeliver": func(o script.Args) { w.deliver(o, o.Number("times", 2)) },
		"ended":     w.ended,
		"info":      w.info,
		"take":      w.take,
		"handle":    w.handle,
		"tick":      w.tick,
		"next":      func(script.Args) { w.say("next in %s", w.s.Next().Sub(w.now)) },
		"reconnect": func(script.Args) { w.s.Reconnected(w.now) },
		"drain":     func(script.Args) { w.s.Drain(w.now) },
		"redriven":  w.redriven,
		"state":     w.state,
		"waiting": func(script.Args) {
			waiting := w.s.Waiting()
			w.say("%d wait for a row, %d for a unique value, the first for %s", waiting.Row, waiting.Unique, w.now.Sub(waiting.Since))
		},
	}
	do, ok := inputs[verb]
	if !ok {
		w.t.Fatalf("no input %q", verb)
	}
	do(o)
	w.perform(w.s.Ready())
}

func (w *world) say(format string, args ...any) { fmt.Fprintf(&w.out, format+"\n", args...) }

func (w *world) output() string {
	defer w.out.Reset()
	return w.out.String()
}

func (w *world) source(o script.Args) *Source {
	w.t.Helper()
	for _, src := range w.s.sources.all {
		if given := o.Text("p", "") != ""; !given && !src.closed || given && src.Partition == o.Number("p", 0) {
			return src
		}
	}
	return w.sources[len(w.sources)-1] // one that was closed
}

func (w *world) assigned(o script.Args) {
	if w.s.Assigned(w.now, w.now.Add(-o.Duration("ago", 0)), 3*time.Second, o.Numbers()) {
		w.say("say so at once")
	}
}

func (w *world) deliver(o script.Args, delivered int) {
	w.t.Helper()
	src := w.source(o)
	for _, word := range o.Words {
		number, key, _ := strings.Cut(word, ":")
		seq, err := strconv.ParseUint(number, 10, 64)
		if err != nil {
			w.t.Fatal(err)
		}
		entity, key, ok := strings.Cut(key, "/")
		if !ok {
			entity, key = "user", entity
		}
		pin := ""
		if w.s.cfg.Ordered {
			pin = "P"
		}
		at := Place{Epoch: o.Number("epoch", src.epoch), Seq: uint64(o.Number("at", int(w.last[src]+1))), Pin: o.Text("pin", pin)}
		w.last[src] = at.Seq
		j := &Job{Row: Row{entity, key}, Seq: seq, Delivered: delivered, Size: o.Number("size", 10), Reply: number}
		w.s.Delivered(w.now, src, j, at)
		w.perform(w.s.Ready())
	}
}

func (w *world) ended(o script.Args) {
	w.t.Helper()
	ends := map[string]PullEnd{"over": PullOver, "unpinned": PullUnpinned, "gone": PullNoConsumer, "interrupted": PullInterrupted}
	src := w.source(o)
	w.s.PullEnded(w.now, src, o.Number("epoch", src.epoch), ends[o.Words[0]], o.Number("unsent", -1))
}

func (w *world) info(o script.Args) {
	w.t.Helper()
	if len(w.asked) == 0 {
		w.say("no info was asked for")
		return
	}
	for range 5 {
		if len(w.asked) > 0 {
			req := w.asked[0]
			w.asked = w.asked[1:]
			w.s.ConsumerInfo(w.now, req, w.consumer(o, req))
			w.perform(w.s.Ready())
		}
		if o.Has("once") || o.Has("none") || o.Has("gone") {
			return
		}
	}
}

// consumer is what an input says of a consumer.
func (w *world) consumer(o script.Args, req InfoRequest) *Info {
	switch {
	case o.Has("none"):
		return nil
	case o.Has("gone"):
		return &Info{Gone: true}
	}
	return &Info{
		Created:  w.start.Add(time.Duration(o.Number("created", 1)) * time.Second),
		AckFloor: uint64(o.Number("floor", 0)), Start: uint64(o.Number("start", 0)),
		Delivered: uint64(o.Number("delivered", 0)), DeliveredSeq: uint64(o.Number("at", int(w.last[req.Source]))),
		Unacknowledged: o.Number("pending", 0), MaxUnacknowledged: o.Number("max", 0), Undelivered: uint64(o.Number("left", 0)),
	}
}

func (w *world) tick(o script.Args) {
	w.t.Helper()
	d, err := time.ParseDuration(o.Words[0])
	if err != nil {
		w.t.Fatal(err)
	}
	w.now = w.now.Add(d)
	w.s.Tick(w.now)
}

func (w *world) redriven(o script.Args) {
	failed := o.Has("failed")
	o.Words = slices.DeleteFunc(o.Words, func(word string) bool { return word == "failed" })
	var letters []uint64
	for _, n := range o.Numbers() {
		letters = append(letters, uint64(n))
	}
	next := o.Number("next", 0)
	w.s.Redriven(w.now, letters, failed, next > 0, uint64(next))
}

func (w *world) state(script.Args) {
	for _, src := range w.s.sources.all {
		w.say("%s: %d in flight, %d active, %d running, %d asked for", name(src), src.count, src.active, src.running, src.asked)
	}
	w.say("%d rows, spilled %d", len(w.s.rows.lines), w.s.Spilled())
}
