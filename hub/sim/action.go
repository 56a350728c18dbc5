package sim

import (
	"fmt"
	"strconv"
	"strings"
)

// Action is one step of a run: a verb, the object of the verb, and a number for verbs
// that have one. An action that is not possible does nothing, so that a script remains
// valid when lines are removed.
type Action struct {
	Verb Verb
	On   string
	N    int
}

// Verb is what an action does.
type Verb uint8

// The verbs.
const (
	// Serve: the server processes a request. Tell: the answer arrives. Lose: the sender
	// gives up; the request may still be served, and its answer is dropped.
	Serve Verb = iota
	Tell
	Lose
	// Wake ends a wait of a lane's writer.
	Wake
	// Pass lets N seconds pass.
	Pass
	// Publish sends an event of an entity, Retry sends the last unanswered event again.
	// Burst: ingest stores N events at once.
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
	// Pull: a worker of a service takes a copy. Crash: the worker dies with its copies.
	Pull
	Crash
	// Kill ends a hub's process, Start begins another. Freeze suspends a process, Thaw
	// resumes it.
	Kill
	Start
	Freeze
	Thaw
	// Own makes a hub believe that it owns a lane, Disown that it does not.
	Own
	Disown
	// Rollback replaces ingest by a copy of its disk that lacks the last N events,
	// Recreate by an empty stream, Forget deletes the ledger.
	Rollback
	Recreate
	Forget
	// Restart restarts the server: it loses its readers, and the state of consumers that
	// it had not stored. If N is 1, the server was killed, and also loses the state of
	// consumers that it stored last.
	Restart
	// Away takes the leader from a stream, Back returns it.
	Away
	Back
	// Lag: for some seconds, a server answers every question about a lane's consumer with
	// the state of this moment.
	Lag
	// Full makes a stream refuse every message, like a stream at its limit or on a full
	// disk. Room ends that.
	Full
	Room
	// Copy copies the directory of a lane's stream, with its consumers. Restore has the
	// lane's server begin with that copy. If N is 1, that server is one of a cluster, and
	// the hubs are connected to others, which live.
	Copy
	Restore
	// Delete deletes a lane's stream by hand.
	Delete
	// Unconsume deletes a lane's consumer by hand; N says which, if there are several.
	// Consume: a hub creates the missing consumers.
	Unconsume
	Consume
	// Skew: the clock of a hub is wrong by N seconds from its next start. Drift: a hub's
	// clock gains N seconds in each hundred.
	Skew
	Drift
	// Registry, as one of the first actions, gives the hubs a registry, of which each hub
	// has a copy. Look: a hub makes the registry and the lanes agree. Redefine registers an
	// interest with another definition. ByHand: somebody makes a record by hand, which
	// requests an interest. Vanish: somebody deletes a record. Wipe: the registry loses all
	// records. Expire: a hub loses its session. Copy, Restore, Away and Back are possible
	// with the registry, too.
	Registry
	Look
	Redefine
	ByHand
	Vanish
	Wipe
	Expire
	// Limit, as one of the first actions, sets the limit of new lanes to N bytes.
	Limit
	// Batches, as the first action, makes lanes append in fast batches, of which a prefix
	// may be stored, instead of atomic batches.
	Batches
	// Calm lets some requests and answers arrive, one after the other, and lanes continue.
	Calm

	// Instances, as one of the first actions, makes instances of the services handle the
	// copies, in place of plain workers; N says of which kinds (orderedBits). The verbs
	// below are for instances. Go: an instance does some of the work of a process. Due:
	// its timer fires. Join: it sends its request to a hub. Begin: a worker takes a batch.
	// Handle: one of the handlers continues; N is the outcome.
	Instances
	Go
	Due
	Join
	Begin
	Handle
	// Poison publishes an event that no handler can handle.
	Poison
	// Cut ends an instance's connection, Leave ends its process in good order. Unpin
	// takes a lane's consumer from the instance that has the pin.
	Cut
	Leave
	Unpin

	// Redrive: a hub puts the dead letters of a service back into its lane.
	Redrive
	// Rewind: a hub rewinds the workers of a service by N events. Finish: a hub finishes a
	// rewind that was cut short.
	Rewind
	Finish

	// Policies, as one of the first actions, gives events a member that policies may hide.
	// Policy: a hub changes the policy of an entity; N says of which one, and to what.
	// Enforce: a hub puts policies in force in lanes that a change did not reach.
	Policies
	Policy
	Enforce

	verbs
)

//nolint:gochecknoglobals // a table
var verbNames = [verbs]string{
	"serve", "tell", "lose", "wake", "pass", "publish", "retry", "burst", "register", "register-all", "register-at", "unregister",
	"trim", "trim-lane", "pull", "crash", "kill", "start", "freeze", "thaw", "own", "disown", "rollback", "recreate", "forget", "restart", "away", "back", "lag",
	"full", "room", "copy", "restore", "delete", "unconsume", "consume", "skew", "drift", "registry", "look", "redefine", "by-hand", "vanish", "wipe", "expire", "limit", "batches", "calm",
	"instances", "go", "due", "join", "begin", "handle", "poison", "cut", "leave", "unpin",
	"redrive", "rewind", "finish", "policies", "policy", "enforce",
}

// Fault reports whether a verb is a fault.
func (v Verb) Fault() bool {
	switch v { //nolint:exhaustive // the others are none
	case Start, Thaw, Back, Room, Copy, Consume, Registry, Look, Redefine, ByHand, Limit, Batches, Calm:
		return false
	}
	return v == Lose || v == Crash || v >= Cut && v <= Unpin || v >= Kill && v < Instances
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

// ParseScript reads actions, one a line. Empty lines, and text after a #, are ignored.
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
