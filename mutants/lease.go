package main

// leaseMutants are about how long an instance may rely on its partitions.
var leaseMutants = []mutant{
	{
		name: "silence-keeps-the-lease", guarantee: "2: an instance that no hub answers begins nothing once its lease is over",
		file: "internal/queue/scheduler.go",
		old:  "	if why == NoHub {",
		new:  "	if true || why == NoHub {",
		pkg:  "./internal/queue", test: "TestScripts",
	},
	{
		name: "pin-proves-after-silence", guarantee: "2: the pin proves nothing where a hub may have given the partition away",
		file: "internal/queue/sources.go",
		old:  ` || src.Pin == "" || s.lease.silent {`,
		new:  ` || src.Pin == "" {`,
		pkg:  "./internal/queue", test: "TestScripts",
		noSim: rare,
	},
	{
		name: "pin-lost-and-kept", guarantee: "2: an instance that only the pin confirms begins nothing once the pin may be gone",
		file: "internal/queue/session.go",
		old:  "	if n.byPin {\n		s.doubt()",
		new:  "	if n.byPin && false {\n		s.doubt()",
		pkg:  "./internal/queue", test: "TestScripts",
		noSim: rare,
	},
	{
		name: "frozen-hub-is-no-hub", guarantee: "2: a hub that does not answer in time is no proof that no hub runs",
		file: "membership.go",
		old:  "if errors.Is(err, nats.ErrNoResponders) && m.reachesLane(ctx) {",
		new:  "if m.reachesLane(ctx) {",
		pkg:  ".", test: "TestFrozenHubKeepsNoLease",
	},
	{
		name: "cut-off-is-no-hub", guarantee: "2: an instance that cannot reach its lane keeps no lease because no hub answers",
		file: "membership.go",
		old:  "if errors.Is(err, nats.ErrNoResponders) && m.reachesLane(ctx) {",
		new:  "if errors.Is(err, nats.ErrNoResponders) {",
		pkg:  ".", test: "TestCutOffLeafnodeKeepsNoLease",
	},
	{
		name: "frozen-owner-holds-joins", guarantee: "4: a frozen hub costs no instance its partitions",
		file: "hub/rooms.go",
		old:  "Patience: control.JoinPatience, ",
		new:  "",
		pkg:  "./hub", test: "TestJoinDoesNotWaitForAFrozenOwner",
	},
	{
		name: "since-by-the-pin", guarantee: "the simulation excuses an interest behind a lost tail by its since",
		file: "hub/sim/judge.go",
		old:  "_, begun := j.last[in.ID]; !begun {",
		new:  "_, begun := j.last[in.ID]; !begun && false {",
		pkg:  "./hub/sim", test: "TestSoundScripts",
	},
}
