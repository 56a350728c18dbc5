package agree

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/replhub/replhub/hub/internal/lane/record"
	registry "github.com/replhub/replhub/hub/internal/record"
	"github.com/replhub/replhub/internal/testenv/script"
	"github.com/replhub/replhub/internal/tree"
	"github.com/replhub/replhub/subjects"
)

// TestScripts plays testdata/*.txt: lines that begin with ">" are commands, and what
// follows each is its answer.
//
//	> record {...} [owned] [dropped] [knows {...}]  a look at a record of entity user, version 7;
//	                                                knows is the lane's state in memory
//	> stored | refused                              the answer to a claim
//	> lane {...} | gone | silent                    the answer to reading the lane
//	> registered | ended                            the answer to a registration
//	> missing {...} path...                         of a lane's state, where the registry has the paths
func TestScripts(t *testing.T) {
	script.Run(t, func(t *testing.T, text string) string {
		p := &player{t: t}
		var out strings.Builder
		for line := range strings.Lines(text) {
			command, is := strings.CutPrefix(strings.TrimSpace(line), "> ")
			if !is && (strings.HasPrefix(line, "#") || line == "\n") {
				out.WriteString(line)
			}
			if is {
				out.WriteString(line)
				verb, rest, _ := strings.Cut(command, " ")
				out.WriteString(p.do(verb, rest))
			}
		}
		return out.String()
	})
}

type player struct {
	t    *testing.T
	step Step
}

func (p *player) do(verb, rest string) string {
	switch verb {
	case "record":
		p.begin(rest)
	case "missing":
		return p.missing(rest)
	case "stored", "refused":
		p.step = p.step.(Claim).Then(verb == "stored")
	case "registered", "ended":
		p.step = p.step.(Register).Then(verb == "ended")
	case "lane":
		answer := Lane{Gone: rest == "gone"}
		if rest == "silent" {
			answer.Err = errors.New("no leader")
		} else if !answer.Gone {
			answer.State, _ = state(p.t, rest)
		}
		p.step = p.step.(ReadLane).Then(answer)
	default:
		p.t.Fatalf("no command %s", verb)
	}
	return p.say()
}

func (p *player) begin(rest string) {
	var found registry.Interest
	d := json.NewDecoder(strings.NewReader(rest))
	if err := d.Decode(&found); err != nil {
		p.t.Fatal(err)
	}
	rest = rest[d.InputOffset():]
	k := Knowledge{Owned: strings.Contains(rest, "owned"), Dropped: strings.Contains(rest, "dropped"), NewID: func() string { return "new" }}
	if _, text, is := strings.Cut(rest, "knows "); is {
		s, _ := state(p.t, text)
		k.State = &s
	}
	p.step = Interest(Record{Entity: "user", Found: found, Version: 7}, k)
}

// state reads a state, and returns the text behind it.
func state(t *testing.T, text string) (s record.State, rest string) {
	d := json.NewDecoder(strings.NewReader(text))
	if err := d.Decode(&s); err != nil {
		t.Fatal(text, err)
	}
	return s, text[d.InputOffset():]
}

func (p *player) missing(rest string) string {
	s, paths := state(p.t, rest)
	service, err := subjects.ParseName("a")
	if err != nil {
		p.t.Fatal(err)
	}
	entries := make(map[string]tree.Entry)
	for _, path := range strings.Fields(paths) {
		entries[path] = tree.Entry{}
	}
	var out strings.Builder
	for _, w := range Missing(entries, service, s) {
		fmt.Fprintf(&out, "write %s %s\n", w.Path, w.Value)
	}
	return out.String()
}

func (p *player) say() string {
	switch s := p.step.(type) {
	case Claim:
		return fmt.Sprintf("claim at %d: %s\n", s.Expect, s.Value)
	case Register:
		return fmt.Sprintf("register %s\n", s.ID)
	case Correct:
		return fmt.Sprintf("correct at %d: %s\n", s.Expect, s.Value)
	case Remove:
		return fmt.Sprintf("remove at %d\n", s.Expect)
	case ReadLane:
		return "read the lane\n"
	case LookAgain:
		return "look again\n"
	case Unknown:
		return "report as unknown\n"
	default:
		return "done\n"
	}
}
