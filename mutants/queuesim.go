package main

// queuesimMutants are about what the simulation found at the services' instances.
var queuesimMutants = []mutant{
	{
		name: "answer-after-the-lease", guarantee: "2: what an instance took before its lease was over does not begin",
		file: "internal/queue/sources.go",
		old:  "	if s.lapsed() {\n		// The answer came late",
		new:  "	if s.lapsed() && false {\n		// The answer came late",
		pkg:  "./internal/queue", test: "TestScripts",
	},
	{
		name: "acknowledged-copy-counts", guarantee: "2: a copy that is being acknowledged hides no delivery of another instance",
		file: "internal/queue/scheduler.go",
		old:  "		j.settled = true\n",
		new:  "		j.settled = false\n",
		pkg:  "./hub/sim", test: "TestScripts",
	},
	{
		name: "row-given-back-in-part", guarantee: "2: a copy does not begin while an older one of its row is at the server",
		file: "internal/queue/work.go",
		old:  "		next.doubted = true\n",
		new:  "		next.doubted = next.doubted || false\n",
		pkg:  "./hub/sim", test: "TestScripts",
	},
	{
		name: "came-again-and-given-back", guarantee: "2: a copy that came again to a running handler keeps its place in its row",
		file: "internal/queue/work.go",
		old:  "case v.Kind == Untried && mine, v.Kind == Abandoned && mine && w.env.cfg.Ordered:",
		new:  "case v.Kind == Untried && mine:",
		pkg:  "./hub/sim", test: "TestScripts",
	},
	{
		name: "row-cut-in-front", guarantee: "2: a copy that goes back to the server leaves the older ones of its row in line",
		file: "internal/queue/work.go",
		old:  "	if j.first() {\n		w.rows.remove(j)\n		return\n	}\n	j.src.unlink(j)",
		new:  "	if j.src != nil {\n		w.rows.remove(j)\n		return\n	}\n	j.src.unlink(j)",
		pkg:  "./hub/sim", test: "TestScripts",
	},
	{
		name: "rolled-back-again-before-an-event", guarantee: "3: events behind a second rollback have positions of a new epoch",
		file: "hub/internal/ingest/retention/epoch.go",
		old:  "		if seq < begin {\n",
		new:  "		if seq < begin && begin == 0 {\n",
		pkg:  "./hub/internal/ingest/retention", test: "TestScripts",
	},
	{
		name: "cursors-of-two-ledgers", guarantee: "1: a lane's position and its fills are of the same epoch when they are compared",
		file: "hub/internal/ingest/retention/epoch.go",
		old:  "		if resumed[k].Epoch != marks[k].Epoch {\n",
		new:  "		if resumed[k].Epoch == 0 {\n",
		pkg:  "./hub/internal/ingest/retention", test: "TestScripts",
	},
	{
		name: "epoch-begins-at-a-trimmed-event", guarantee: "3: a trim beside a new epoch cuts off no lane that needs nothing of what it removed",
		file: "hub/internal/ingest/retention/epoch.go",
		old:  "			if !is || first < now.First {\n",
		new:  "			if !is || first == 0 {\n",
		pkg:  "./hub/internal/ingest/retention", test: "TestScripts",
	},
}
