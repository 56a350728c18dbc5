package queue

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The scripts of testdata say what a scheduler is told, and after each "----" what it
// wants done about it. go test ./internal/queue -rewrite writes the second anew.
//
// A line is one input; words are sequences of the lane, sequence:key, or option=value.
//
//	new [ordered] [batches] [hold] [workers=1] [inflight=100] [batch=1] [attempts=3] [wait=10m] [ackwait=30s]
//	open                        the source of a lane without order
//	assigned 0 1 [ago=1s]       a hub's answer to a question of so long ago
//	nohub [ago=1s]; lease       no hub answered; the lease is looked at
//	deliver 11:a 12 [p=0] [at=5] [pin=P] [epoch=1] [size=10]    at is the consumer's sequence
//	redeliver 11:a [times=2]    the same, of what the server has delivered before
//	ended over|unpinned|gone|interrupted [unsent=3]
//	info floor=10 delivered=20 at=20 pending=3 [start=1] [created=1] [max=0] [left=0]; info none
//	                            the server's answer, as often as it is asked; [once]
//	take A                      a worker's batch, which is called A
//	handle A [11=error] ...     the handler's answers: ok, error, away, conflict, waits, unique,
//	                            invalid, parked, later; cut and untried are no answers
//	                            [letter=no|needless] what comes of a dead letter, [redriven=1]
//	tick 1s; next; reconnect; drain; state; redriven [failed] [next=5] 4 5 6
var rewrite = flag.Bool("rewrite", false, "write the outputs of testdata anew")

func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := runScript(t, string(text))
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			compareScripts(t, file, string(text), got)
		})
	}
}

func compareScripts(t *testing.T, file, want, got string) {
	t.Helper()
	wants, gots := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(wants), len(gots)) {
		if i >= len(wants) || i >= len(gots) || wants[i] != gots[i] {
			from, to := max(i-8, 0), min(i+8, len(gots))
			line := "(the end)"
			if i < len(wants) {
				line = wants[i]
			}
			t.Fatalf("%s:%d: want %q in\n%s", file, i+1, line, strings.Join(gots[from:to], "\n"))
		}
	}
}

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
	o := parse(t, args)
	start := time.Unix(1_000_000, 0)
	w := &world{t: t, start: start, now: start, batches: map[string]*Batch{}, last: map[*Source]uint64{}}
	w.s = New(start, Config{
		Ordered: o.has("ordered"), Batches: o.has("batches"), HoldKey: o.has("hold"),
		Workers: o.number("workers", 1), MaxInFlight: o.number("inflight", 100), MaxBatch: o.number("batch", 1),
		MaxAttempts: o.number("attempts", 3), MaxWait: o.time("wait", 10*time.Minute), AckWait: o.time("ackwait", 30*time.Second),
		MaxBackoff: time.Minute,
		Backoff:    func(n int) time.Duration { return time.Duration(n) * 100 * time.Millisecond },
		ProbePause: func(n int) time.Duration { return time.Duration(n) * time.Second },
	})
	return w
}

// options are the words of an input.
type options struct {
	t      *testing.T
	words  []string
	values map[string]string
}

func parse(t *testing.T, args []string) options {
	t.Helper()
	o := options{t: t, values: map[string]string{}}
	for _, arg := range args {
		if name, value, ok := strings.Cut(arg, "="); ok {
			o.values[name] = value
		} else {
			o.words = append(o.words, arg)
		}
	}
	return o
}

func (o options) has(word string) bool { return slices.Contains(o.words, word) }

func (o options) number(name string, otherwise int) int {
	value, ok := o.values[name]
	if !ok {
		return otherwise
	}
	n, err := strconv.Atoi(value)
	if err != nil {
		o.t.Fatal(name, err)
	}
	return n
}

func (o options) time(name string, otherwise time.Duration) time.Duration {
	value, ok := o.values[name]
	if !ok {
		return otherwise
	}
	d, err := time.ParseDuration(value)
	if err != nil {
		o.t.Fatal(name, err)
	}
	return d
}

func (o options) text(name, otherwise string) string {
	if value, ok := o.values[name]; ok {
		return value
	}
	return otherwise
}

func (o options) numbers() (list []int) {
	for _, word := range o.words {
		n, err := strconv.Atoi(word)
		if err != nil {
			o.t.Fatal(err)
		}
		list = append(list, n)
	}
	return list
}

func (w *world) input(verb string, args []string) {
	w.t.Helper()
	o := parse(w.t, args)
	inputs := map[string]func(options){
		"open":      func(options) { w.s.Open(w.now) },
		"assigned":  w.assigned,
		"nohub":     func(o options) { w.s.NoHub(w.now, w.now.Add(-o.time("ago", 0))) },
		"lease":     func(options) { w.s.CheckLease(w.now) },
		"deliver":   func(o options) { w.deliver(o, 1) },
		"redeliver": func(o options) { w.deliver(o, o.number("times", 2)) },
		"ended":     w.ended,
		"info":      w.info,
		"take":      w.take,
		"handle":    w.handle,
		"tick":      w.tick,
		"next":      func(options) { w.say("next in %s", w.s.Next().Sub(w.now)) },
		"reconnect": func(options) { w.s.Reconnected(w.now) },
		"drain":     func(options) { w.s.Drain(w.now) },
		"redriven":  w.redriven,
		"state":     w.state,
		"waiting": func(options) {
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

func (w *world) source(o options) *Source {
	w.t.Helper()
	for _, src := range w.s.sources {
		if _, given := o.values["p"]; !given && !src.closed || given && src.Partition == o.number("p", 0) {
			return src
		}
	}
	return w.sources[len(w.sources)-1] // one that was closed
}

func (w *world) assigned(o options) {
	if w.s.Assigned(w.now, w.now.Add(-o.time("ago", 0)), 3*time.Second, o.numbers()) {
		w.say("say so at once")
	}
}

func (w *world) deliver(o options, delivered int) {
	w.t.Helper()
	src := w.source(o)
	for _, word := range o.words {
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
		at := Place{Epoch: o.number("epoch", src.epoch), Seq: uint64(o.number("at", int(w.last[src]+1))), Pin: o.text("pin", pin)}
		w.last[src] = at.Seq
		j := &Job{Row: Row{entity, key}, Seq: seq, Delivered: delivered, Size: o.number("size", 10), Reply: number}
		w.s.Delivered(w.now, src, j, at)
		w.perform(w.s.Ready())
	}
}

func (w *world) ended(o options) {
	w.t.Helper()
	ends := map[string]PullEnd{"over": PullOver, "unpinned": PullUnpinned, "gone": PullNoConsumer, "interrupted": PullInterrupted}
	src := w.source(o)
	w.s.PullEnded(w.now, src, o.number("epoch", src.epoch), ends[o.words[0]], o.number("unsent", -1))
}

func (w *world) info(o options) {
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
		if o.has("once") || o.has("none") {
			return
		}
	}
}

// consumer is what an input says of a consumer.
func (w *world) consumer(o options, req InfoRequest) *Info {
	if o.has("none") {
		return nil
	}
	return &Info{
		Created:  w.start.Add(time.Duration(o.number("created", 1)) * time.Second),
		AckFloor: uint64(o.number("floor", 0)), Start: uint64(o.number("start", 0)),
		Delivered: uint64(o.number("delivered", 0)), DeliveredSeq: uint64(o.number("at", int(w.last[req.Source]))),
		Unacknowledged: o.number("pending", 0), MaxUnacknowledged: o.number("max", 0), Undelivered: uint64(o.number("left", 0)),
	}
}

func (w *world) take(o options) {
	b := &Batch{}
	if !w.s.Take(w.now, b) {
		w.say("nothing to begin")
		return
	}
	w.batches[o.words[0]] = b
	w.say("begin %s", sequences(b.Jobs))
}

// handle does what a worker of the driver does.
func (w *world) handle(o options) {
	w.t.Helper()
	b := w.batches[o.words[0]]
	if b == nil {
		w.say("no batch %s", o.words[0])
		return
	}
	delete(w.batches, o.words[0])
	answer := func(i int) string { return o.text(strconv.FormatUint(b.Jobs[i].Seq, 10), "ok") }
	b.Begin()
	if !w.s.cfg.Batches || b.Jobs[0].Burying() {
		b.Conclude(0, w.verdict(o, b.Jobs[0], answer(0)))
	} else {
		w.halve(o, b, answer)
	}
	w.s.Done(w.now, b)
}

func (w *world) halve(o options, b *Batch, answer func(int) string) {
	w.t.Helper()
	ended := false
	cut := func(j *Job) bool { return o.text(strconv.FormatUint(j.Seq, 10), "ok") == "cut" }
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
func (w *world) verdict(o options, j *Job, answer string) Verdict {
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
	letter := Letter{Stored: true, Seq: 100 + j.Seq, Redriven: o.number("redriven", 0)}
	switch o.text("letter", "") {
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

func (w *world) tick(o options) {
	w.t.Helper()
	d, err := time.ParseDuration(o.words[0])
	if err != nil {
		w.t.Fatal(err)
	}
	w.now = w.now.Add(d)
	w.s.Tick(w.now)
}

func (w *world) redriven(o options) {
	failed := o.has("failed")
	o.words = slices.DeleteFunc(o.words, func(word string) bool { return word == "failed" })
	var letters []uint64
	for _, n := range o.numbers() {
		letters = append(letters, uint64(n))
	}
	next := o.number("next", 0)
	w.s.Redriven(w.now, letters, failed, next > 0, uint64(next))
}

func (w *world) state(options) {
	for _, src := range w.s.sources {
		w.say("%s: %d in flight, %d active, %d running, %d asked for", name(src), src.count, src.active, src.running, src.asked)
	}
	w.say("%d rows, spilled %d", len(w.s.lines), w.s.Spilled())
}

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
