package sim

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	duration = flag.Duration("sim.for", 4*time.Second, "how long TestSimulation runs")
	most     = flag.Int("sim.most", 3000, "how many seeds at most")
	first    = flag.Uint64("sim.seed", 1, "the first seed of TestSimulation")
)

// TestSimulation runs one seed after the other for a while.
func TestSimulation(t *testing.T) {
	r := Many{Seed: *first, For: *duration, Most: *most, Steps: Steps}.Run(t.Context())
	t.Log(r.String())
	if r.Broken != "" {
		t.Fatalf("seed %d: %s\nshrunken, which breaks %s:\n%s", r.Seed, r.Broken, r.Shrunk.Broken, Format(r.Shrunk.Script))
	}
}

// TestScripts plays what breaks a guarantee without a mechanism: with the mutant of the
// script's name, which command mutants plays it with, or with the flaw that its head
// names. A simulation that does not find its flaws proves nothing: each has a script.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	shown := make(map[Flaw]bool)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		flaw := flawOf(string(text))
		shown[flaw] = true
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			script, err := ParseScript(string(text))
			if err != nil {
				t.Fatal(err)
			}
			if r := Play(script, Config{}); r.Broken != "" {
				t.Errorf("breaks %s", r.Broken)
			}
			if r := Play(script, Config{Flaw: flaw}); flaw != NoFlaw && r.Broken == "" {
				t.Errorf("holds with the flaw %q", flaw)
			}
		})
	}
	for _, flaw := range Flaws {
		if !shown[flaw] {
			t.Errorf("no script shows the flaw %q", flaw)
		}
	}
}

// TestSoundScripts plays runs that once broke a guarantee, by a fault of the product that
// the judge shared, or by a fault of the judge alone. No mechanism taken out breaks them.
func TestSoundScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/sound/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		script, err := ParseScript(string(text))
		if err != nil {
			t.Fatal(err)
		}
		if r := Play(script, Config{}); r.Broken != "" {
			t.Errorf("%s breaks %s", filepath.Base(file), r.Broken)
		}
	}
}

// flawOf is the flaw that the head of a script names.
func flawOf(text string) Flaw {
	_, after, _ := strings.Cut(text, "# flaw: ")
	name, _, _ := strings.Cut(after, "\n")
	return Flaw(name)
}

// TestSeedsFindFlaws takes mechanisms out that many seeds meet.
func TestSeedsFindFlaws(t *testing.T) {
	for _, flaw := range []Flaw{NoExpectedSequence, TableNotRecord, AckBeforeEffect, PendingIsProof} {
		t.Run(strings.ReplaceAll(string(flaw), " ", "-"), func(t *testing.T) {
			r := Many{Seed: 1, Most: 1000, Steps: Steps, Config: Config{Flaw: flaw, Plain: true}}.Run(t.Context())
			if r.Broken == "" {
				t.Error("not found")
			}
		})
	}
}

// TestOneSeedReplaysToTheByte runs a seed twice, and its script once more.
func TestOneSeedReplaysToTheByte(t *testing.T) {
	for seed := range uint64(20) {
		traced := func(run func(Config) Result) (Result, []string) {
			var lines []string
			r := run(Config{Trace: func(line string) { lines = append(lines, line) }})
			return r, lines
		}
		r, want := traced(func(c Config) Result { return Run(seed, Steps, c) })
		for name, run := range map[string]func(Config) Result{
			"the seed":   func(c Config) Result { return Run(seed, Steps, c) },
			"the script": func(c Config) Result { return Play(r.Script, c) },
			"the script as text": func(c Config) Result {
				script, err := ParseScript(Format(r.Script))
				if err != nil {
					t.Fatal(err)
				}
				return Play(script, c)
			},
		} {
			if again, have := traced(run); again.Broken != r.Broken || !slices.Equal(have, want) {
				t.Fatalf("seed %d: %s runs another way", seed, name)
			}
		}
	}
}
