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

// TestScripts plays what once broke a guarantee. The head of each file says which
// mend it is red without.
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
			script, err := ParseScript(string(text))
			if err != nil {
				t.Fatal(err)
			}
			flaw := NoFlaw
			if _, after, has := strings.Cut(string(text), "# flaw: "); has {
				name, _, _ := strings.Cut(after, "\n")
				flaw = Flaw(name)
			}
			if r := Play(script, Config{}); r.Broken != "" {
				t.Errorf("breaks %s", r.Broken)
			}
			if flaw != NoFlaw {
				if r := Play(script, Config{Flaw: flaw}); r.Broken == "" {
					t.Errorf("holds with the flaw %q", flaw)
				}
			}
		})
	}
}

// TestFlawsAreFound takes mechanisms out, one at a time: a simulation that does not
// find that proves nothing.
func TestFlawsAreFound(t *testing.T) {
	for _, flaw := range Flaws {
		t.Run(strings.ReplaceAll(string(flaw), " ", "-"), func(t *testing.T) {
			for seed := uint64(1); seed <= 6000; seed++ {
				if r := Run(seed, Steps, Config{Flaw: flaw, Plain: true}); r.Broken != "" {
					t.Logf("seed %d: %s", seed, r.Broken)
					return
				}
			}
			t.Error("not found")
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
