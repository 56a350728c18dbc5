package main

// watchingMutants are the mechanisms behind what the hub says of itself.
var watchingMutants = []mutant{
	{
		name: "oldest-of-any-partition", guarantee: "the oldest copy is one of the consumer's own",
		file: "hub/internal/lane/oldest.go",
		old:  `jetstream.WithGetMsgSubject(c.Config.FilterSubject)`,
		new:  `jetstream.WithGetMsgSubject("sub.>")`,
		pkg:  "./hub", test: "TestOldestUnackedIsOfTheOwnPartition",
	},
	{
		name: "holders-outlive-their-time", guarantee: "describe names no instance that is silent",
		file: "hub/internal/partition/presence.go",
		old:  `		r.expire(func(id string) bool { return p.silent(id, now) })`,
		new:  `		_ = now`,
		pkg:  "./hub/internal/partition", test: "TestPresentNamesNoSilentInstance",
	},
	{
		name: "blocks-without-bytes", guarantee: "a hub's memory is bounded whatever the size of events",
		file: "hub/internal/ingest/window.go",
		old:  ` || last.bytes >= w.blockBytes`,
		new:  ``,
		pkg:  "./hub", test: "TestMemoryWithLargeEvents",
	},
	{
		name: "asking-without-bytes", guarantee: "a hub's memory is bounded in what readers ask for ahead",
		file: "hub/internal/ingest/reader.go",
		old:  `return max(bytes, maxPayload+wordsOverhead) }`,
		new:  `return max(bytes, 64*maxPayload) }`,
		pkg:  "./hub", test: "TestMemoryWithLargeEvents",
	},
	{
		name: "one-success-ends-it", guarantee: "a stall is one episode until the lane gets on for good",
		file: "hub/internal/episode/episode.go",
		old:  `	if now.Sub(e.well) < e.Settle {`,
		new:  `	if now.Before(e.well) {`,
		pkg:  "./hub", test: "TestOneStallIsOneEpisode",
	},
	{
		name: "full-lane-waits-for-audit", guarantee: "redeliveries keep no full lane from purging its history",
		file: "hub/internal/deadletter/prove.go",
		old:  `	if p.mayProve(service) {`,
		new:  `	if p.after == nil {`,
		pkg:  "./hub", test: "TestFullLaneWithRedeliveries",
	},
	{
		name: "write-error-not-asked", guarantee: "a full disk is named",
		file: "hub/internal/hubstream/disk.go",
		old:  `	if !ok || !saysDisk(err)`,
		new:  `	if !ok || api.Code == 500 || !saysDisk(err)`,
		pkg:  "./hub", test: "TestFullDiskIsNamed",
	},
	{
		name: "refusals-are-rivals", guarantee: "a lane that the server cannot write says so",
		file: "hub/internal/lane/core/trouble.go",
		old:  `	return r.count > maxRefusals`,
		new:  `	return r.count < 0`,
		pkg:  "./hub/internal/lane/core", test: "TestScripts",
		noSim: "it concerns what a stalled lane reports",
	},
	{
		name: "full-ingest-is-silent", guarantee: "a full ingest names what keeps it full",
		file: "hub/fullwatch.go",
		old:  `	case p.lane != "" && p.lowest < limit:`,
		new:  `	case p.lane != "" && p.lowest > limit:`,
		pkg:  "./hub", test: "TestFullIngestNamesTheLaneThatPinsIt",
	},
}
