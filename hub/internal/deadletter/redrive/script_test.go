package redrive_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/replhub/replhub/hub/internal/deadletter/redrive"
	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/internal/testenv/script"
)

// TestScripts plays testdata/*.txt: lines that begin with ">" are commands, and what
// follows each is its answer.
//
//	> letters 3 5 7           the letters of the service
//	> stays 5                 a letter whose event may not be copied any more
//	> record 3 5 | detached   letters that the lane's state names
//	> new 3                   another letter at a sequence: the stream was created again
//	> all after=3 room=2      redrives all letters behind one, with so many in an append
//	> these 3 5               redrives these letters
//	> all until=append        crashes before the step; also remove, forget
//	> all faster              another writer is faster at the first append
func TestScripts(t *testing.T) {
	script.Run(t, func(_ *testing.T, text string) string { return play(text) })
}

func play(text string) string {
	var out strings.Builder
	w := newWorld(&out)
	for line := range strings.Lines(text) {
		command, is := strings.CutPrefix(line, "> ")
		switch {
		case is:
			out.WriteString(line)
			w.do(strings.Fields(command))
		case line == "\n":
			w = newWorld(&out)
			fallthrough
		case strings.HasPrefix(line, "#"):
			out.WriteString(line)
		}
	}
	return out.String()
}

// world is the letters of a service, and its lane.
type world struct {
	out     *strings.Builder
	letters map[uint64]record.LetterID
	stays   map[uint64]bool
	state   record.State
	copies  []uint64
}

func newWorld(out *strings.Builder) *world {
	return &world{out: out, letters: make(map[uint64]record.LetterID), stays: make(map[uint64]bool)}
}

func id(seq uint64, day int) record.LetterID {
	return record.LetterID{Seq: seq, Time: time.Unix(int64(day)*86400, 0)}
}

func numbers(words []string) (list []uint64, options map[string]string) {
	options = make(map[string]string)
	for _, word := range words {
		if n, err := strconv.ParseUint(word, 10, 64); err == nil {
			list = append(list, n)
			continue
		}
		name, value, _ := strings.Cut(word, "=")
		options[name] = value
	}
	return list, options
}

func (w *world) do(words []string) {
	seqs, options := numbers(words[1:])
	switch words[0] {
	case "letters", "new":
		for _, seq := range seqs {
			w.letters[seq] = id(seq, len(words[0])-len("new"))
		}
	case "stays":
		for _, seq := range seqs {
			w.stays[seq] = true
		}
	case "record":
		for _, seq := range seqs {
			w.state.Redriven = append(w.state.Redriven, id(seq, len("letters")-len("new")))
		}
		if _, is := options["detached"]; is {
			w.state.Detached = &record.Detached{}
		}
	default:
		w.redrive(words[0] == "all", seqs, options)
	}
}

func number(text string, otherwise int) int {
	if n, err := strconv.Atoi(text); err == nil {
		return n
	}
	return otherwise
}

func (w *world) redrive(all bool, seqs []uint64, options map[string]string) {
	limits := redrive.Limits{
		Letters: number(options["room"], 10), Bytes: number(options["bytes"], 100), Left: number(options["left"], 100),
		Size: func(redrive.Left) int { return 1 },
	}
	after := uint64(number(options["after"], 0))
	r := redrive.These(seqs, after, limits)
	if all {
		r = redrive.All(after, limits)
	}
	_, faster := options["faster"]
	for step := r.Begin(); step != nil; {
		if _, is := step.(redrive.More); is && r.Crowded() {
			break
		}
		if kind := strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", step), "redrive.")); kind == options["until"] {
			fmt.Fprintf(w.out, "crashes; letters %v, lane %v, record %v\n", w.kept(), w.copies, w.named())
			return
		}
		if a, is := step.(redrive.Append); is && faster {
			faster = false
			w.choose(a)
			w.state.Redriven = append(w.state.Redriven, w.letters[w.kept()[0]])
			fmt.Fprintf(w.out, "another writer puts %d back\n", w.kept()[0])
		}
		step = w.perform(step)
	}
	fmt.Fprintf(w.out, "redriven %d, stay %v, at %d; letters %v, lane %v, record %v\n", r.Redriven, r.Left, r.At, w.kept(), w.copies, w.named())
}

func (w *world) kept() []uint64 { return slices.Sorted(maps.Keys(w.letters)) }

func (w *world) named() []uint64 {
	list := []uint64{}
	for _, l := range w.state.Redriven {
		list = append(list, l.Seq)
	}
	return list
}

func (w *world) choose(a redrive.Append) redrive.Chosen {
	for step := a.Choose(w.state); ; step = w.perform(step) {
		if chosen, is := step.(redrive.Chosen); is {
			return chosen
		}
	}
}

func (w *world) perform(step redrive.Step) redrive.Step {
	switch s := step.(type) {
	case redrive.ReadState:
		return s.Then(w.state)
	case redrive.ReadLetter:
		for _, seq := range w.kept() {
			if seq == s.Seq || seq > s.Seq && !s.Exact {
				return s.Then(&redrive.Letter{LetterID: w.letters[seq], Of: seq})
			}
		}
		return s.Then(nil)
	case redrive.MakeCopy:
		if w.stays[s.Letter.Seq] {
			return s.Then(redrive.Copy{Stays: "it is not due any more"})
		}
		return s.Then(redrive.Copy{Of: s.Letter.Of, Bytes: 10})
	case redrive.Append:
		chosen := w.choose(s)
		if chosen.Err != nil {
			fmt.Fprintln(w.out, "error:", chosen.Err)
			return nil
		}
		if len(chosen.IDs) > 0 {
			fmt.Fprintf(w.out, "appends %v\n", chosen.Copies)
		}
		for i, l := range chosen.IDs {
			w.copies = append(w.copies, chosen.Copies[i].(uint64))
			w.state.Redriven = append(w.state.Redriven, l)
		}
		return s.Then()
	case redrive.Remove:
		if w.letters[s.Letter.Seq] == s.Letter.LetterID {
			delete(w.letters, s.Letter.Seq)
		}
		return s.Then()
	case redrive.Forget:
		w.state = w.state.Forget(s.IDs)
		return s.Then()
	case redrive.More:
		return s.Then()
	}
	return nil
}
