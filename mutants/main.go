// Command mutants takes each mechanism behind a guarantee out of the code in
// turn, runs the test that is said to hold it, and fails unless that test goes
// red. It changes nothing in the tree: the mutated files are laid over the real
// ones (go build -overlay), in one build for all mutants, which a variable of the
// environment tells from each other.
//
//	go run ./mutants            all mutants
//	go run ./mutants -run trim  those whose name contains "trim"
//	go run ./mutants -why       also what the test said, which shows that it is red for the right reason
//	go run ./mutants -j 1       one at a time, on a machine with other work
//	go run ./mutants -part 1/2  the first half of them, by a hash of their names
//	go run ./mutants -list      what there is
//	go run ./mutants -sim       the simulation of many hubs (hub/sim) instead of the tests, a minute for each mutant of a pure core
package main

import (
	"context"
	"flag"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

// mutant is one mechanism taken out.
type mutant struct {
	name string
	// guarantee is what the mechanism is for, in the words of ARCHITECTURE.md.
	guarantee string
	file      string
	// old, which occurs once in the file, becomes new.
	old, new string
	// pkg and test are what must go red. So must the script of the simulation that has
	// the mutant's name (hub/sim/testdata), which each mutant of a pure core has, or
	// noSim, the reason why the simulation does not find it.
	pkg, test string
	noSim     string
}

func all() []mutant {
	return slices.Concat(mutants, lostMutants, sdkMutants, semanticsMutants, brokenMutants, watchingMutants, boundsMutants, cliMutants, batchMutants, outageMutants, valuesMutants, replicaMutants, outboxMutants, repairMutants, twowayMutants, speedMutants, uniqueMutants, countsMutants, leaderMutants, classesMutants, roomsMutants, coreMutants, databaseMutants, retentionMutants, authMutants, simulationMutants, otherKeysMutants, placesMutants, houseMutants, migrateMutants, reviewMutants, queuesimMutants, restoreMutants, fleetMutants, leaseMutants, eraseMutants, transportMutants, policyMutants, damageMutants, attackMutants, bridgeMutants, restMutants, rowsMutants, pushMutants, verifyMutants, registryMutants, consoleMutants, applyMutants, captureMutants, captureSourceMutants, scrubMutants, redriveMutants, doctorMutants, deployMutants, otelMutants, rewindMutants, captureToldMutants)
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("mutants", flag.ContinueOnError)
	only := flags.String("run", "", "only mutants whose name contains this")
	part := flags.String("part", "1/1", "only a part of the mutants, by a hash of their names: the first of two is 1/2")
	list := flags.Bool("list", false, "print the mutants and do nothing")
	why := flags.Bool("why", false, "print the first error of each test")
	// The tests wait for servers and for deadlines most of their time.
	atOnce := flags.Int("j", 3*runtime.NumCPU(), "mutants at a time")
	simulate := flags.Bool("sim", false, "run the simulation with each mutant of a pure core: its script, variations of that, and seeds; say what breaks a guarantee")
	simTime := flags.Duration("for", time.Minute, "with -sim, how long seeds are tried at most")
	scripts := flags.String("scripts", "", "with -sim, write a short script for each mutant into this folder")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *atOnce < 1 {
		return fmt.Errorf("-j %d: must be 1 or more", *atOnce)
	}
	in, err := parsePart(*part)
	if err != nil {
		return err
	}
	chosen := slices.DeleteFunc(all(), func(m mutant) bool { return !strings.Contains(m.name, *only) || !in(m.name) })
	if len(chosen) == 0 {
		return fmt.Errorf("no mutant's name contains %q", *only)
	}
	if *list {
		for _, m := range chosen {
			fmt.Fprintf(out, "%-28s %-40s %s %s\n", m.name, m.guarantee, m.pkg, m.test)
		}
		return nil
	}
	dir, err := os.MkdirTemp("", "replhub-mutants-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if *simulate {
		return simulations{dir, out, simTime.String(), *scripts}.run(ctx, chosen)
	}
	began := time.Now()
	b, err := build(ctx, dir, chosen, runtime.NumCPU())
	if err != nil {
		return err
	}
	s := session{builds: b, out: out, why: *why, built: time.Since(began)}
	return s.judge(ctx, chosen, *atOnce)
}

// parsePart reads "2/3", and returns which names are in the second of three parts. A number
// past the last part goes on with the first one.
func parsePart(text string) (in func(name string) bool, err error) {
	var at, of uint32
	if _, err := fmt.Sscanf(text, "%d/%d", &at, &of); err != nil || at < 1 || of < 1 {
		return nil, fmt.Errorf("-part %s: must be a part and the number of parts, as in 1/2", text)
	}
	return func(name string) bool {
		h := fnv.New32a()
		_, _ = h.Write([]byte(name)) // never an error
		return h.Sum32()%of == (at-1)%of
	}, nil
}
