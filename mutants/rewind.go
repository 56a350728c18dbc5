package main

// rewindMutants are about rewinds (package rewind), and what may be trimmed meanwhile.
var rewindMutants = []mutant{
	{
		name: "rewind-trimmed", guarantee: "1: what was acknowledged before a rewind says nothing of what is due since",
		file: "hub/internal/lane/history/look.go",
		old:  `	if len(before) > 0 {`,
		new:  `	if len(before) > 1000 {`,
		pkg:  "./hub/internal/lane/history", test: "TestLook",
	},
	{
		name: "rewind-beside-rewind", guarantee: "2: a rewind goes back at least as far as one that is recorded and not done",
		file: "hub/internal/lane/rewind/plan.go",
		old:  `	return c, ok && p.state.OfRewind(c.Generation, p.bounds.Lane)`,
		new:  `	return c, ok`,
		pkg:  "./hub/internal/lane/rewind", test: "TestPlan",
	},
	{
		name: "earlier-lane-proves", guarantee: "2: a consumer of an earlier lane of the name proves nothing",
		file: "hub/internal/lane/record/rewound.go",
		old:  `	since, ok := strings.CutPrefix(generation, lane)`,
		new:  `	_, since, ok := strings.Cut(generation, "/")`,
		pkg:  "./hub/internal/lane/rewind", test: "TestPlan",
	},
	{
		name: "lost-rewind-proves", guarantee: "2: a consumer of a rewind that the lane has lost proves nothing",
		file: "hub/internal/lane/record/rewound.go",
		old:  `	return ok && id == s.rewindID()`,
		new:  `	return ok && (s.Rewound == nil || id == s.rewindID())`,
		pkg:  "./hub/internal/lane/rewind", test: "TestPlan",
	},
	{
		name: "rewind-not-in-force", guarantee: "2: the consumers get the place of the state in force, also if a rewind was lost or replaced meanwhile",
		file: "hub/internal/lane/rewind/finish.go",
		old:  `		case Generation(now, f.lane) == Generation(f.state, f.lane):`,
		new:  `		case f.tries > 0:`,
		pkg:  "./hub/internal/lane/rewind", test: "TestFinish",
		noSim: "what it leaves is a consumer of another rewind, which proves nothing and which hubs create again (lost-rewind-proves, foreign-consumer-stays)",
	},
	{
		name: "policy-of-letters-in-the-core", guarantee: "a dead letter comes back as the present policy allows",
		file: "hub/internal/deadletter/redrive/allowed.go",
		old:  `	d, err = judge(under, h.Service, e)`,
		new:  `	d, err = match.Decision{Kind: match.Copy, Data: h.Data}, error(nil)`,
		pkg:  "./hub", test: "TestPolicyOfLetters",
	},
}
