package sim

import (
	"fmt"
	"strconv"
	"strings"
)

// Action is one step of a run: a verb, what it is done to, and a number for those
// verbs that have one. An action that is not possible does nothing, so that a script
// stays one when lines are taken out.
type Action struct {
	Verb Verb
	On   string
	N    int
}

// Verb is what an action does.
type Verb uint8

// The verbs.
const (
	// Serve has the server take a request, Tell its answer arrive. Lose has the
	// sender give up: the request may still be served, and nobody hears of it.
	Serve Verb = iota
	Tell
	Lose
	// Wake ends a wait of a lane's writer.
	Wake
	// Pass has time pass, in seconds.
	Pass
	// Publish sends an event of an entity, Retry the last unanswered one again. Burst
	// has ingest store N events at once.
	Publish
	Retry
	Burst
	// Register and Unregister are a service's, at a hub; N is the entity.
	Register
	RegisterAll
	RegisterAt
	Unregister
	// Trim begins a trim of ingest at a hub, TrimLane one of a lane.
	Trim
	TrimLane
	// Pull has a worker of a service take a copy, Crash has it die with what it holds.
	Pull
	Crash
	// Kill ends a hub's process, Start begins another. Freeze stops it for a while,
	// Thaw has it go on.
	Kill
	Start
	Freeze
	Thaw
	// Own has a hub believe that it owns a lane, Disown that it does not.
	Own
	Disown
	// Rollback replaces ingest by a copy of its disk that lacks the last N events,
	// Recreate by an empty stream, Forget deletes the ledger.
	Rollback
	Recreate
	Forget
	// Restart restarts the server: readers are gone, and what was not stored of
	// consumers.
	Restart
	// Away has a stream lose its leader, Back get it back.
	Away
	Back
	// Lag has a server answer what it is asked about a lane's consumer with what is true
	// now, for some seconds.
	Lag
	// Full has a stream refuse whatever would be stored, as one does that is at its limit
	// or has no disk; Room ends that.
	Full
	Room
	// Unconsume is somebody who deletes a lane's consumer, Consume the hub that creates
	// the missing ones. N says which, where there are several.
	Unconsume
	Consume
	// Skew has the machine's clock be N seconds off where a hub starts the next time,
	// Drift has a hub's clock gain N seconds in each hundred.
	Skew
	Drift
	// Limit, as one of the first actions, gives the lanes that are created a limit of N
	// bytes.
	Limit
	// Batches, as the first action, has lanes append in fast batches, of which a prefix
	// may be stored, instead of atomic ones.
	Batches
	// Calm has some of what is on its way arrive, one thing behind the other, and lanes
	// go on.
	Calm

	// Instances, as the first action, has instances of the services' handle what
	// comes, in place of plain workers; N says of which kinds (orderedBits). The
	// following are theirs. Go has an instance do for a while what a process does. Due
	// is its timer, Join its request to a hub. Begin has a worker take a batch, Handle
	// has one of the handlers go on; N is the outcome.
	Instances
	Go
	Due
	Join
	Begin
	Handle
	// Poison publishes an event that no handler can handle.
	Poison
	// Cut loses an instance's connection, Leave ends its process in good order. Unpin
	// takes a lane's consumer from the instance that has it.
	Cut
	Leave
	Unpin

	verbs
)

//nolint:gochecknoglobals // a table
var verbNames = [verbs]string{
	"serve", "tell", "lose", "wake", "pass", "publish", "retry", "burst", "register", "register-all", "register-at", "unregister",
	"trim", "trim-lane", "pull", "crash", "kill", "start", "freeze", "thaw", "own", "disown", "rollback", "recreate", "forget", "restart", "away", "back", "lag",
	"full", "room", "unconsume", "consume", "skew", "drift", "limit", "batches", "calm",
	"instances", "go", "due", "join", "begin", "handle", "poison", "cut", "leave", "unpin",
}

// Fault reports whether a verb is a fault.
func (v Verb) Fault() bool {
	switch v { //nolint:exhaustive // the others are none
	case Start, Thaw, Back, Room, Consume, Limit, Batches, Calm:
		return false
	}
	return v == Lose || v == Crash || v >= Cut || v >= Kill && v < Instances
}

// String is the action as a line of a script.
func (a Action) String() string {
	text := verbNames[a.Verb]
	if a.On != "" {
		text += " " + a.On
	}
	if a.N != 0 {
		text += " " + strconv.Itoa(a.N)
	}
	return text
}

// ParseScript reads actions, one a line. Empty lines and what follows a # are passed
// over.
func ParseScript(text string) ([]Action, error) {
	var script []Action
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		a, err := parseAction(words)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", strings.TrimSpace(line), err)
		}
		script = append(script, a)
	}
	return script, nil
}

func parseAction(words []string) (Action, error) {
	for v, name := range verbNames {
		if name != words[0] {
			continue
		}
		a := Action{Verb: Verb(v)}
		for _, word := range words[1:] {
			if n, err := strconv.Atoi(word); err == nil {
				a.N = n
			} else {
				a.On = word
			}
		}
		return a, nil
	}
	return Action{}, fmt.Errorf("no such verb: %s", words[0])
}

// Format is a script as text.
func Format(script []Action) string {
	var b strings.Builder
	for _, a := range script {
		b.WriteString(a.String() + "\n")
	}
	return b.String()
}
