package main

// retentionMutants are about what may go from ingest.
var retentionMutants = []mutant{
	{
		name: "rolled-back-unnoticed", guarantee: "3: a trim does not trust a position whose event is another one",
		file: "hub/internal/ingest/retention/need.go",
		old:  `	return prove(n.Earliest, then)`,
		new:  `	return then(true)`,
		pkg:  "./hub/internal/ingest/retention", test: "TestScripts",
		noSim: rare,
	},
	{
		name: "lost-mark-above-the-lowest", guarantee: "3: a lane that has not noticed a rollback holds the trim, also above one that began since",
		file: "hub/internal/ingest/retention/need.go",
		old:  `s.At.Time.Before(n.Earliest.Time)`,
		new:  `s.At.Before(n.Earliest.Position)`,
		pkg:  "./hub/internal/ingest/retention", test: "TestScripts",
	},
	{
		name: "rolled-back-is-trimmed", guarantee: "3: an event that a rollback took does not detach its lane",
		file: "hub/internal/ingest/retention/epoch.go",
		old:  `			if !is || now.First > r.mark.Seq {`,
		new:  `			if now.First > r.mark.Seq {`,
		pkg:  "./hub/internal/ingest/retention", test: "TestScripts",
	},
	{
		name: "read-past-the-break", guarantee: "2: what was copied before a rollback was noticed does not come again",
		file: "hub/internal/ingest/retention/epoch.go",
		old:  "	if r.mark.Time.IsZero() {\n		if !l",
		new:  "	if r.mark.Seq > 0 {\n		if !l",
		pkg:  "./hub/internal/ingest/retention", test: "TestScripts",
	},
	{
		name: "epoch-of-a-gone-stream", guarantee: "2: no epoch begins for a stream that is gone",
		file: "hub/internal/ingest/retention/epoch.go",
		old:  `				return identify(now, atLeast, then)`,
		new:  `				return write`,
		pkg:  "./hub/internal/ingest/retention", test: "TestScripts",
		noSim: rare,
	},
	{
		name: "lost-as-the-stream-fills", guarantee: "1: a ledger that is missing beside a stream with events has every lane fenced",
		file: "hub/internal/ingest/retention/epoch.go",
		old:  ` || b.Last == 0 && now.Last > 0 {`,
		new:  ` {`,
		pkg:  "./hub/internal/ingest/retention", test: "TestScripts",
	},
	{
		name: "unresumed-registration", guarantee: "2: a registration beside a rollback waits until the lane has resumed",
		file: "hub/internal/ingest/retention/ledger.go",
		old:  `return pos.Epoch < l.EpochOf(pos.Seq) }`,
		new:  `return pos.Epoch < l.EpochOf(pos.Seq) && pos.Seq == 0 }`,
		pkg:  "./hub/internal/ingest/retention", test: "TestScripts",
		noSim: rare,
	},
	{
		name: "purge-of-another-stream", guarantee: "1: a stream created during a trim keeps its events",
		file: "hub/internal/ingest/retention/trim.go",
		old:  `!found || !last.Equal(b.LastTime) {`,
		new:  `b.Last == 0 {`,
		pkg:  "./hub/internal/ingest/retention", test: "TestScripts",
	},
	{
		name: "since-below-the-floor", guarantee: "1: a registration is not answered with a since that may be gone",
		file: "hub/internal/ingest/retention/anchor.go",
		old:  `			if got > seq && !s.All {`,
		new:  `			if got > seq && s.All {`,
		pkg:  "./hub/internal/ingest/retention", test: "TestScripts",
		noSim: rare,
	},
	{
		name: "lanes-before-pins", guarantee: "1: pins are counted before the lanes are looked at",
		file: "hub/internal/ingest/retention/trim.go",
		old:  `	t.pinnings, t.done.Floor = l.Pinnings, l.Floor`,
		new:  `	t.pinnings, t.done.Floor = l.Pinnings+1, l.Floor`,
		pkg:  "./hub/internal/ingest/retention", test: "TestScripts",
	},
}
