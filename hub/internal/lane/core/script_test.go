package core_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/lane/core"
	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/script"
	"github.com/replhub/replhub/subjects"
)

// TestScripts runs testdata/*.txt: what is told to a lane, a line each, and below the
// dashes what it says. Each script begins with a lane that knows nothing.
func TestScripts(t *testing.T) {
	script.Run(t, func(t *testing.T, text string) string { return newScene(t).run(text) })
}

// scene is a lane under test and what the script has said of its world.
type scene struct {
	t    *testing.T
	lane *core.Lane
	w    core.World
	out  strings.Builder
	// state is that of the last answer.
	state record.State
	step  core.Step
	laws  laws
}

func newScene(t *testing.T) *scene {
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	return &scene{t: t, w: core.World{Now: began, Clock: began, Owned: true, MaxPayload: 1 << 20}, laws: laws{t: t}}
}

// run runs the blocks of a script and returns it with the outputs that came.
func (s *scene) run(text string) string {
	var all strings.Builder
	for i, block := range strings.Split(strings.TrimSpace(text), "\n\n") {
		said, _, _ := strings.Cut(block, "\n----")
		if i > 0 {
			all.WriteString("\n")
		}
		all.WriteString(said + "\n")
		s.out.Reset()
		for line := range strings.Lines(said) {
			if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
				s.command(strings.Fields(line))
			}
		}
		if s.out.Len() > 0 {
			all.WriteString("----\n" + s.out.String())
		}
	}
	return all.String()
}

func (s *scene) say(format string, args ...any) { fmt.Fprintf(&s.out, format+"\n", args...) }

// command does what one line of a script says.
func (s *scene) command(words []string) {
	defer func() {
		if wrong := recover(); wrong != nil {
			s.t.Errorf("%s: %v", strings.Join(words, " "), wrong)
			s.say("cannot %s: %v", strings.Join(words, " "), wrong)
		}
	}()
	args := words[1:]
	switch words[0] {
	case "lane":
		service, err := subjects.ParseName("s")
		if err != nil {
			s.t.Fatal(err)
		}
		s.lane = core.New(core.Config{Service: service, Fast: has(args, "fast")})
		s.laws.began()
	case "world":
		s.world(args)
	case "next":
		s.next()
	case "follow":
		e := parseEvent(s.t, args[0])
		came, a := s.lane.Follow(s.w.Now, s.w.Clock, e, has(args, "ready"), s.w.MaxPayload)
		if s.say("%s", []string{"left", "took", "copied"}[came]); came == core.Copied {
			s.laws.next(a)
			s.say("%s", show(a))
		}
	case "notes":
		for _, n := range s.lane.Notes() {
			s.say("%s", showNote(n))
		}
	case "counts":
		s.say("%+v", s.lane.Counts())
	case "status":
		if status := s.lane.NewStatus(); status != nil {
			s.say("%s stalled=%q last=%d waiting=%v", showState(status.State), status.Stalled, status.Last, status.Waiting)
			if len(status.Rows) > 0 {
				s.say("rows=%v", status.Rows)
			}
		}
	default:
		s.answer(words[0], args)
	}
}

// next asks for the next step, past those about rows that go on beside it.
func (s *scene) next() {
	for {
		s.step = s.lane.Next(s.w)
		s.laws.next(s.step)
		s.say("%s", show(s.step))
		switch s.step.(type) {
		case core.FetchRows, core.DropRows:
		default:
			return
		}
	}
}

// world changes what the lane is told of the world: owned, parked, change, end, and
// now=+10ms to have time pass.
func (s *scene) world(args []string) {
	for _, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		switch name {
		case "now":
			d, err := time.ParseDuration(value)
			if err != nil {
				s.t.Fatal(err)
			}
			s.w.Now, s.w.Clock = s.w.Now.Add(d), s.w.Clock.Add(d)
		case "owned":
			s.w.Owned = value == "yes"
		case "held":
			s.w.Held = value == "yes"
		case "parked":
			s.w.Parked = value == "yes"
		case "change":
			s.w.Change = map[string]core.Wanted{"": core.WantsNothing, "edit": core.WantsEdit, "redrive": core.WantsRedrive}[value]
		case "end":
			s.w.End = parsePos(s.t, value)
		case "max_payload":
			s.w.MaxPayload = int(number(s.t, value))
		default:
			s.t.Fatalf("world %s", arg)
		}
	}
}

// answer tells the lane what came of its step.
func (s *scene) answer(what string, args []string) {
	l := s.lane
	switch what {
	case "tip":
		s.state = parseState(s.t, args)
		tip := record.Tip{State: s.state, StateSeq: s.arg(args, "seq"), Last: s.arg(args, "last"), Foreign: int(s.arg(args, "foreign")), Direct: has(args, "direct")}
		s.laws.tipRead(tip.Last)
		l.TipRead(tip)
	case "confirmed":
		s.confirmed(args)
	case "reconnected":
		s.laws.failed()
		l.Reconnected()
	case "state-lost":
		s.laws.tipRead(s.arg(args, "last"))
		l.StateLost(s.arg(args, "last"))
	case "recalled":
		l.Recalled(parseState(s.t, args))
	case "cursors":
		state := s.step.(core.CheckCursors).State
		if len(args) > 0 {
			moved := parseState(s.t, args)
			state.Pos = moved.Pos
		}
		l.CursorsChecked(state)
	case "cursors-gone":
		l.CursorsGone(strings.Join(args, " "))
	case "events":
		s.events(args)
	case "admitted":
		l.Admitted(!has(args, "no"))
	case "letter":
		if has(args, "failed") {
			l.LetterFailed(errors.New("letters are full"))
		} else {
			l.LetterStored(!has(args, "there"))
		}
	case "sent":
		s.laws.sent()
		l.Sent()
	case "stored":
		s.laws.stored()
		l.Stored()
	case "settled":
		s.laws.settled()
		l.Settled()
	case "recorded":
		s.laws.stored()
		l.Recorded(100)
	default:
		s.answerMore(what, args)
	}
}

func (s *scene) answerMore(what string, args []string) {
	l := s.lane
	switch what {
	case "not-sent":
		s.laws.refused()
		l.NotSent(errors.New("too large"))
	case "failed":
		s.laws.failed()
		l.Failed(parseFailure(args))
	case "ended":
		s.laws.failed()
		l.AppendEnded(parseFailure(args))
	case "progressed":
		l.Progressed(number(s.t, args[0]))
	case "measured":
		l.Measured(int64(number(s.t, args[0])))
	case "history":
		l.HistoryFound(s.arg(args, "first"), s.arg(args, "keep"))
	case "purged":
		l.Purged()
	case "proved":
		l.Proved(has(args, "free"), "are kept")
	case "edited":
		e := core.Edited{Next: s.step.(core.Edit).Tip.State, Changed: !has(args, "same"), Copies: int(s.arg(args, "copies"))}
		if has(args, "refused") {
			e.Changed, e.Err = false, errors.New("refused")
		}
		if len(args) > 0 && strings.HasPrefix(args[0], "interests=") {
			e.Next = parseState(s.t, args)
		}
		l.Edited(e)
	case "diagnosed":
		err := errors.New(strings.Join(args, " "))
		if d := s.step.(core.Diagnose); len(args) == 0 {
			err = d.Err
		}
		l.Diagnosed(err)
	case "rows":
		s.rows(args)
	case "rows-late":
		l.RowsLate(int(number(s.t, args[0])), strings.Join(args[1:], " "))
	case "recheck":
		l.Recheck()
	case "unsent":
		s.laws.refused()
		l.Unsent()
	default:
		s.t.Fatalf("unknown line: %s %s", what, strings.Join(args, " "))
	}
}

// confirmed answers ConfirmTip with the end that the lane was read with, or with another.
func (s *scene) confirmed(args []string) {
	tip := record.Tip{State: parseState(s.t, args), StateSeq: s.arg(args, "seq"), Last: s.arg(args, "last")}
	known := s.lane.Counts().Fenced
	s.lane.TipConfirmed(tip)
	if s.lane.Counts().Fenced > known {
		s.laws.tipRead(tip.Last)
	}
}

// events answers ReadEvents: "user:11 tenant:12", and "end" for none at the end.
func (s *scene) events(args []string) {
	b := ingest.Block{Before: s.step.(core.ReadEvents).From}
	for _, arg := range args {
		if arg != "end" {
			b.Events = append(b.Events, parseEvent(s.t, arg))
		}
	}
	s.lane.EventsRead(b, has(args, "end"))
}

// rows brings the rows of a fetch: "rows 1 user after=2 k3 k4". With "of=9" the owner says
// that it has about nine rows.
func (s *scene) rows(args []string) {
	var list []*event.Event
	of := event.RowOf{Entity: name(s.t, args[1]), Snapshot: "x", Number: s.arg(args, "after"), Origin: "accounts"}
	for _, key := range args[3:] {
		if strings.HasPrefix(key, "of=") {
			continue
		}
		of.Number++
		e, err := event.Row(event.Position{Epoch: 1, Seq: 90}, s.w.Clock, of, map[string][]string{contract.HeaderKey: {key}}, []byte(`{}`))
		if err != nil {
			s.t.Fatal(err)
		}
		list = append(list, e)
	}
	s.lane.RowsCame(int(number(s.t, args[0])), list, of.Origin)
	s.lane.RowsCounted(int(number(s.t, args[0])), s.arg(args, "of"))
}

func (s *scene) arg(args []string, name string) uint64 {
	for _, arg := range args {
		if value, ok := strings.CutPrefix(arg, name+"="); ok {
			return number(s.t, value)
		}
	}
	return 0
}

func has(args []string, word string) bool {
	return slices.Contains(args, word)
}

func number(t *testing.T, text string) uint64 {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
