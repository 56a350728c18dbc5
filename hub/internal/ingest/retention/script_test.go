package retention_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/ingest/retention"
	"github.com/replhub/replhub/hub/sim/model"
	"github.com/replhub/replhub/internal/testenv/script"
	"github.com/replhub/replhub/subjects"
)

// TestScripts plays testdata/*.txt: lines that begin with ">" are commands, and what
// follows each is its answer.
//
//	> publish 100                 events, one a minute
//	> wait 1h                     by ingest's clock
//	> delete | rollback 50        ingest, which is created again or loses its tail
//	> forget                      somebody deletes the ledger
//	> copy | restore              of the ledger, which then loses its last writes
//	> lane a 80 | unknown | gone  where a lane stands when a trim looks at it
//	> lane a 80 sealed            one that can be read, and not written
//	> h1 trim history=1h full     an operation of a hub, to its end
//	> h1 trim history=1h as t     one that takes no step yet
//	> t to write                  takes steps until it is about to write
//	> t                           takes the others
//
// Operations: trim, resume <epoch>-<seq> <time>, cursors <epoch>-<seq>@<time>..., pin <id> <start>, unpin <id>,
// compares <epoch>-<seq>, erase <seq>... [but no delete], marks.
func TestScripts(t *testing.T) {
	script.Run(t, func(_ *testing.T, text string) string { return play(text) })
}

// play is the script with the answers as they are.
func play(text string) string {
	var out strings.Builder
	w := newWorld()
	for line := range strings.Lines(text) {
		switch command, is := strings.CutPrefix(line, "> "); {
		case is:
			out.WriteString(line)
			w.out = &out
			w.do(strings.Fields(command))
		case strings.HasPrefix(line, "#") || line == "\n":
			out.WriteString(line)
			if line == "\n" {
				w = newWorld() // a paragraph is a scenario of its own
			}
		}
	}
	return out.String()
}

// world is ingest, the ledger, the lanes and the hubs of one scenario.
type world struct {
	out        *strings.Builder
	now        time.Time
	db, ledger *model.Stream
	known      map[string]*retention.Ledger
	lanes      []subjects.Name
	standings  map[subjects.Name]retention.Standing
	sealed     map[subjects.Name]bool
	copied     retention.Ledger // by copy
	ops        map[string]*op
	anchors    map[string]*retention.Anchor
}

// op is an operation of a hub.
type op struct {
	hub  string
	next retention.Step
}

func newWorld() *world {
	w := &world{
		now: time.Unix(0, 0).UTC(), known: make(map[string]*retention.Ledger), standings: make(map[subjects.Name]retention.Standing), sealed: make(map[subjects.Name]bool),
		ops: make(map[string]*op), anchors: make(map[string]*retention.Anchor), out: &strings.Builder{},
	}
	w.db = model.NewStream(model.StreamConfig{Name: "DB"}, w.now)
	w.ledger = model.NewStream(model.StreamConfig{Name: "LEDGER", OnePerSubject: true}, w.now)
	w.run(&op{"h1", retention.Identify(0, func(retention.Found) retention.Step { return retention.Done{} })})
	w.out.Reset()
	return w
}

func (w *world) say(format string, args ...any) { fmt.Fprintf(w.out, format+"\n", args...) }

func (w *world) do(words []string) {
	switch words[0] {
	case "publish":
		for range number(words[1]) {
			w.now = w.now.Add(time.Minute)
			if _, err := w.db.Publish(model.Publish{Subject: "db.user.update"}, w.now); err != nil {
				panic(err)
			}
		}
	case "wait":
		d, err := time.ParseDuration(words[1])
		if err != nil {
			panic(err)
		}
		w.now = w.now.Add(d)
	case "delete":
		w.db = model.NewStream(model.StreamConfig{Name: "DB"}, w.now)
	case "rollback":
		w.db = w.db.Until(number(words[1]))
	case "purge":
		w.db.Purge(number(words[1]))
	case "remove":
		last := words[1]
		if len(words) > 2 {
			last = words[2]
		}
		for seq := number(words[1]); seq <= number(last); seq++ {
			if err := w.db.Delete(seq); err != nil {
				panic(err)
			}
		}
	case "forget":
		if m, err := w.ledger.GetLast("l"); err == nil {
			_ = w.ledger.Delete(m.Seq)
		}
	case "copy":
		w.copied = w.document()
	case "restore":
		if _, err := w.ledger.Publish(model.Publish{Subject: "l", Value: w.copied}, w.now); err != nil {
			panic(err)
		}
	case "lane":
		w.lane(name(words[1]), words[2])
		w.sealed[name(words[1])] = len(words) > 3
	default:
		w.operate(words)
	}
}

func (w *world) lane(service subjects.Name, at string) {
	s := retention.Standing{}
	switch at {
	case "unknown":
		s.Err = errors.New("no leader")
	case "gone":
		s.Gone = true
	case "idle":
	default:
		s.Needs, s.At = true, w.mark(at)
	}
	if _, has := w.standings[service]; !has {
		w.lanes = append(w.lanes, service)
	}
	w.standings[service] = s
}

// mark is "80", "2-80" for another epoch than the first; its time is the event's.
func (w *world) mark(text string) retention.Mark {
	epoch, seq := uint64(1), text
	if before, after, has := strings.Cut(text, "-"); has {
		epoch, seq = number(before), after
	}
	m := retention.Mark{Position: event.Position{Epoch: epoch, Seq: number(seq)}}
	if stored, err := w.db.Get(m.Seq); err == nil {
		m.Time = stored.Time
	}
	return m
}

// markAt is "80@90m": a mark and its time.
func (w *world) markAt(text string) retention.Mark {
	at, since, _ := strings.Cut(text, "@")
	m := w.mark(at)
	d, err := time.ParseDuration(since)
	if err != nil {
		panic(err)
	}
	m.Time = time.Unix(0, 0).Add(d).UTC()
	return m
}

func (w *world) operate(words []string) {
	if o := w.ops[words[0]]; o != nil {
		if len(words) == 3 {
			w.until(o, words[2])
			return
		}
		w.run(o)
		return
	}
	o := &op{hub: words[0]}
	var as string
	if n := len(words); n > 3 && words[n-2] == "as" {
		as, words = words[n-1], words[:n-2]
	}
	o.next = w.begin(o.hub, words[1:])
	if as != "" {
		w.ops[as] = o
		return
	}
	w.run(o)
}

func (w *world) begin(hub string, words []string) retention.Step {
	switch words[0] {
	case "trim":
		return retention.Trim(policy(words[1:]), func(t retention.Trimmed) retention.Step {
			if n := len(t.Unfenced); n > 0 {
				w.say("not fenced: %d", n)
			}
			switch {
			case len(t.Need.Unknown) > 0:
				w.say("unknown lanes: %d", len(t.Need.Unknown))
			case t.Unproven:
				w.say("unproven: %s", t.Need.Earliest.Position)
			}
			w.say("floor %d, purged %d, holds %d to %d", t.Floor, t.Purged, w.db.Info().First, w.db.Info().Last)
			if t.Below > 0 {
				w.say("but for %s, events below %d could go", t.Need.Pinner, t.Below)
			}
			return retention.Done{}
		})
	case "resume":
		m := w.mark(words[1])
		if len(words) > 2 {
			m = w.markAt(words[1] + "@" + words[2])
		}
		return retention.Resume(m, func(m retention.Mark) retention.Step {
			w.say("resumes at %s", m.Position)
			return retention.Done{}
		})
	case "cursors":
		var marks []retention.Mark
		for _, word := range words[1:] {
			marks = append(marks, w.markAt(word))
		}
		return retention.ResumeAll(marks, func(resumed []retention.Mark) retention.Step {
			for i, m := range resumed {
				w.say("%s resumes at %s", words[1+i], m.Position)
			}
			return retention.Done{}
		})
	case "pin":
		a := retention.NewAnchor(words[1])
		w.anchors[words[1]] = a
		s := retention.Start{All: words[2] == "all"}
		if !s.All && words[2] != "new" {
			s.Seq = number(words[2])
		}
		return a.Look(*w.known[hub], func() retention.Step {
			return a.Begin(s, func(b retention.Beginning) retention.Step {
				w.say("since %s behind %s, partial %v", b.At, b.Before.Position, b.Partial)
				return retention.Done{}
			})
		})
	case "gap":
		return w.known[hub].Gap(w.mark(words[1]), func(next retention.Mark, is bool) retention.Step {
			w.say("gap: %v, next behind %s", is, next.Position)
			return retention.Done{}
		})
	case "compares":
		m := w.mark(words[1])
		if len(words) > 2 {
			m = w.markAt(words[1] + "@" + words[2])
		}
		return w.known[hub].Compares(m, func(is bool) retention.Step {
			w.say("compares: %v", is)
			return retention.Done{}
		})
	case "erase":
		return w.erase(words[1:])
	case "marks":
		w.say("marks at %v", sequences(w.known[hub].Erased))
		return retention.Done{}
	case "unpin":
		return w.anchors[words[1]].Release(func(held bool) retention.Step {
			w.say("held %v", held)
			return retention.Done{}
		})
	}
	panic("no such operation: " + words[0])
}

// erase erases events, and deletes them unless the words say otherwise.
func (w *world) erase(words []string) retention.Step {
	var marks []retention.Mark
	keep := false
	for _, word := range words {
		if keep = word == "but"; keep {
			break
		}
		marks = append(marks, w.mark(word))
	}
	return retention.Erase(marks, 1000, nil, func(retention.Ledger) retention.Step {
		for _, m := range marks {
			if !keep {
				_ = w.db.Delete(m.Seq)
			}
		}
		return retention.Done{}
	})
}

func sequences(marks []retention.Mark) []uint64 {
	var list []uint64
	for _, m := range marks {
		list = append(list, m.Seq)
	}
	return list
}

func policy(words []string) retention.Policy {
	var p retention.Policy
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		d, _ := time.ParseDuration(value)
		switch key {
		case "history":
			p.History = d
		case "guard":
			p.Guard = d
		case "full":
			p.FullBytes = 1
		}
	}
	return p
}

func number(text string) uint64 {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

func name(text string) subjects.Name {
	n, err := subjects.ParseName(text)
	if err != nil {
		panic(err)
	}
	return n
}
