package main

// simulationMutants are about what the simulation of many hubs found.
var simulationMutants = []mutant{
	{
		name: "lost-ledger-during-a-trim", guarantee: "1: a trim whose floor was lost with the ledger purges nothing",
		file: "hub/internal/ingest/retention/trim.go",
		old:  `	return ReadLedger{t.confirmed}`,
		new:  `	return t.confirmed(Read{Ledger: l})`,
		pkg:  "./hub/internal/ingest/retention", test: "TestScripts",
	},
	{
		name: "purge-to-an-earlier-floor", guarantee: "3: a trim purges what it found itself, whatever the floor",
		file: "hub/internal/ingest/retention/trim.go",
		old:  `		if t.below = allowed; !known`,
		new:  `		if t.below = max(allowed, l.Floor); !known`,
		pkg:  "./hub/internal/ingest/retention", test: "TestScripts",
	},
	{
		name: "mark-without-a-time", guarantee: "3: a mark that names no event does not stand for those that do",
		file: "hub/internal/ingest/retention/need.go",
		old:  `	} else if !s.At.Time.IsZero() && (`,
		new:  `	} else if (`,
		pkg:  "./hub/internal/ingest/retention", test: "TestScripts",
	},
}
