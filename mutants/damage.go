package main

// damageMutants are about events that a server has lost within a stream.
var damageMutants = []mutant{
	{
		name: "lost-event-counts-as-old", guarantee: "3: a search by time passes over lost events, and stands before them if they may be due",
		file: "hub/internal/ingest/retention/mark.go",
		old:  `			if found && seq < high && at.Before(t) {`,
		new:  `			if found && seq < high {`,
		pkg:  "./hub/internal/ingest/retention", test: "TestScripts",
		noSim: "the model of the server loses no events within a stream",
	},
	{
		name: "trim-is-a-gap", guarantee: "3: events that were trimmed or rolled back between two questions are not taken for lost ones",
		file: "hub/internal/ingest/retention/gap.go",
		old:  `				if !is || m.Seq+1 < now.First {`,
		new:  `				if b.Last == 0 {`,
		pkg:  "./hub/internal/ingest/retention", test: "TestScripts",
		noSim: "the model of the server loses no events within a stream",
	},
	{
		name: "stopped-by-a-gap", guarantee: "4: events that the server has lost detach the lanes that need them, and stop nobody else",
		file: "hub/internal/ingest/tail.go",
		old:  `			return t.pass(ctx, err)`,
		new:  `			return err`,
		pkg:  "./hub", test: "TestLostEventsOfIngestStopNobody",
	},
	{
		name: "lane-around-a-gap", guarantee: "3: a lane whose events the server has lost is detached",
		file: "hub/internal/lane/read.go",
		old:  `		d.gap = &gap // the lane`,
		new:  `		_ = &gap // the lane`,
		pkg:  "./hub", test: "TestLostEventsThatWereCopied",
	},
}
