package main

// scrubMutants are about copies that the server holds and cannot read.
var scrubMutants = []mutant{
	{
		name: "damaged-copy-passed-over", guarantee: "2: a lane whose copies the server passes over is detached",
		file: "hub/internal/consumers/stand.go",
		old:  `		w.cfg.Stood(l, infos)`,
		new:  `		_ = infos`,
		pkg:  "./hub", test: "TestDamagedCopyDetachesItsLane",
	},
	{
		name: "copied-again-is-lost", guarantee: "2: copies that were made again are not taken for lost ones",
		file: "hub/internal/lane/read.go",
		old:  `		tip.State = tip.State.WithGap(gap, 0)`,
		new:  `		_ = gap`,
		pkg:  "./hub", test: "TestLaneThatWasCopiedAgainIsWhole",
	},
	{
		name: "erased-is-damaged", guarantee: "2: messages that somebody deleted are not taken for damaged ones",
		file: "hub/internal/scrub/judge.go",
		old:  `			if deleted[seq] {`,
		new:  `			if false && deleted[seq] {`,
		pkg:  "./hub/internal/scrub", test: "TestDamaged",
	},
	{
		name: "mended-replica-stays-named", guarantee: "a server that got its messages again is no longer named",
		file: "hub/internal/scrub/scrub.go",
		old:  `	task.from = min(task.from, s.before(stream))`,
		new:  `	_ = s.before(stream)`,
		pkg:  "./hub", test: "TestDamagedReplicaIsNamed",
	},
	{
		name: "long-review-starts-over", guarantee: "2: also the end of a long lane is reviewed",
		file: "hub/internal/scrub/course.go",
		old:  `		c.from = to`,
		new:  `		_ = to`,
		pkg:  "./hub/internal/scrub", test: "TestInterruptedReviewGoesOn",
	},
}
