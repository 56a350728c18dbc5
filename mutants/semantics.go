package main

// semanticsMutants are the mechanisms behind what a registration, a record and an
// answer mean.
var semanticsMutants = []mutant{
	{
		name: "no-object-is-empty", guarantee: "fields and filter of what is no object: a dead letter",
		file: "hub/internal/match/project.go",
		old:  `		return nil, contract.ReasonNotObject, errNotObject`,
		new:  `		_ = errNotObject`,
		pkg:  "./hub", test: "TestPayloadThatIsNoObjectIsADeadLetter",
	},
	{
		name: "arrays-left-out", guarantee: "a path goes through arrays",
		file: "hub/internal/match/array.go",
		old:  `		out = n.appendArray(out, value)`,
		new:  `		_ = n.appendArray`,
		pkg:  "./hub/internal/match", test: "TestProjectArrays",
	},
	{
		name: "guards-unseen", guarantee: "a guarded read is no warning",
		file: "hub/internal/match/unguarded.go",
		old:  `		known = known.with(settles(r.settledOf(side)))`,
		new:  `		_ = settles(r.settledOf(side))`,
		pkg:  "./hub/internal/match", test: "TestUnguarded",
	},
	{
		name: "no-warnings", guarantee: "the reply names unguarded reads",
		file: "hub/internal/registration/register.go",
		old:  `append(req.Warnings(), limited`,
		new:  `append(request.Request{}.Warnings(), limited`,
		pkg:  "./hub", test: "TestRegistrationWarnsOfUnguardedReads",
	},
	{
		name: "host-clock", guarantee: "times of several hosts go by the server's clock",
		file: "hub/internal/ingest/clock.go",
		old:  `	c.told, c.heard = told, c.local()`,
		new:  `	_ = told`,
		pkg:  "./hub/internal/ingest", test: "TestPinsGoByTheServersClock",
	},
	{
		name: "start-in-the-future", guarantee: "a time to come is refused",
		file: "hub/internal/request/moment.go",
		old:  `	case m.At.After(now.Add(futureTolerance)):`,
		new:  `	case m.At.After(now.Add(1e6 * futureTolerance)):`,
		pkg:  "./hub/internal/request", test: "TestMomentToComeIsRefused",
	},
	{
		name: "rewind-forwards", guarantee: "a rewind goes back, or is refused",
		file: "hub/internal/lane/rewind/plan.go",
		old:  `		if found && seq < p.found.From && p.next == nil {`,
		new:  `		if found && false {`,
		pkg:  "./hub/internal/lane/rewind", test: "TestPlan",
		noSim: "the refusal is for the caller: the consumers keep what is not acknowledged",
	},
	{
		name: "unknown-record-fields", guarantee: "records made by hand are checked as requests are",
		file: "hub/internal/record/check.go",
		old:  `	err := contract.Decode(data, v)`,
		new:  "	if len(data) == 0 {\n		return nil\n	}\n	err := json.Unmarshal(data, v)",
		pkg:  "./hub/internal/record", test: "TestRecordsAreChecked",
		noSim: noRegistry,
	},
	{
		name: "alarms-stay", guarantee: "an alarm goes with the record that it is about",
		file: "hub/internal/reconcile/alarms.go",
		old:  `			a.alarms.Clear(about(path))`,
		new:  `			_ = path`,
		pkg:  "./hub/internal/reconcile", test: "TestAlarmsGoWithTheirRecords",
	},
	{
		name: "explain-without-letters", guarantee: "explain tells of dead letters",
		file: "hub/internal/report/fate.go",
		old:  `		f.reply.Letters = append(f.reply.Letters, explainedLetter(l))`,
		new:  `		f.reply.Letters = append(f.reply.Letters, contract.ExplainedLetter{Redriven: explainedLetter(l).Redriven})`,
		pkg:  "./hub", test: "TestExplainTellsTheWholeStory",
	},
}
