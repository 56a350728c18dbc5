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
	{
		name: "lanes-by-an-old-ledger", guarantee: "3: a trim judges the lanes by the newest epochs",
		file: "hub/internal/ingest/retention/trim.go",
		old:  `	return Remember{latest, func() Step { return LookAtLanes{t.lookedAt} }}`,
		new:  `	return LookAtLanes{t.lookedAt}`,
		pkg:  "./hub/internal/ingest/retention", test: "TestScripts",
	},
	{
		name: "first-break-alone", guarantee: "3: a later rollback that went further back counts",
		file: "hub/internal/ingest/retention/ledger.go",
		old:  `			first = min(first, r.First)`,
		new:  `			first = max(first, r.First)`,
		pkg:  "./hub/internal/ingest/retention", test: "TestScripts",
	},
	{
		name: "break-unproven", guarantee: "3: what lies before a break is proven to have survived",
		file: "hub/internal/ingest/retention/epoch.go",
		old:  "	// has noticed went further back.\n	return ReadTime{r.mark.Seq, r.proven}",
		new:  "	// has noticed went further back.\n	return r.then(r.mark)",
		pkg:  "./hub/internal/ingest/retention", test: "TestScripts",
	},
	{
		name: "registration-in-another-stream", guarantee: "2: a registration beside a new ingest does not move its lane past events",
		file: "hub/internal/ingest/retention/mark.go",
		old:  "	return l.Prove(pos, then)",
		new:  "	return then(true)",
		pkg:  "./hub/internal/ingest/retention", test: "TestScripts",
	},
	{
		name: "pin-outlived", guarantee: "1: a pin goes once its lane is fenced",
		file: "hub/internal/ingest/retention/fence.go",
		old:  `		return Fence{Services: servicesOf(due), All: lost > 0, Then`,
		new:  `		return Fence{Then`,
		pkg:  "./hub/sim", test: "TestScripts",
	},
	{
		name: "unfenced-lane", guarantee: "1: a lane that cannot be fenced holds the trim",
		file: "hub/internal/ingest/retention/fence.go",
		old:  `			if len(unknown) > 0 {`,
		new:  `			if unknown == nil {`,
		pkg:  "./hub/internal/ingest/retention", test: "TestScripts",
	},
	{
		name: "pin-of-an-earlier-edit", guarantee: "1: an edit that is decided again pins again",
		file: "hub/internal/ingest/retention/anchor.go",
		old: `	a.held = false
`,
		new: ``,
		pkg: "./hub/sim", test: "TestScripts",
	},
	{
		name: "count-of-a-lost-ledger", guarantee: "1: a trim does not count by a ledger that was lost",
		file: "hub/internal/ingest/retention/trim.go",
		old:  ` || l.Lost > 0 {`,
		new:  ` {`,
		pkg:  "./hub/sim", test: "TestScripts",
	},
	{
		name: "mark-of-another-stream", guarantee: "3: a mark is of the ingest that was looked at",
		file: "hub/internal/ingest/retention/epoch.go",
		old:  `		return r.still(func() Step { return r.then(m) })`,
		new:  `		return r.then(m)`,
		pkg:  "./hub/internal/ingest/retention", test: "TestScripts",
	},
	{
		name: "purged-below-a-lost-floor", guarantee: "1: a since is held once it is pinned",
		file: "hub/internal/ingest/retention/anchor.go",
		old:  `			if !is || seq < now.First {`,
		new:  `			if !is && seq < now.First {`,
		pkg:  "./hub/sim", test: "TestScripts",
	},
	{
		name: "fill-past-a-rollback", guarantee: "2: a fill reads the ingest that its live position is of",
		file: "hub/internal/lane/core/phase.go",
		old:  `ReadEvents{Fill: true, From: at, To: to}`,
		new:  `ReadEvents{Fill: true, From: at}`,
		pkg:  "./hub/sim", test: "TestScripts",
	},
}
