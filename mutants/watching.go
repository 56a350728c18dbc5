package main

// watchingMutants are the mechanisms behind what the hub says of itself.
var watchingMutants = []mutant{
	{
		name: "oldest-of-any-partition", guarantee: "the oldest copy is one of the consumer's own",
		file: "lane/oldest.go",
		old:  `jetstream.WithGetMsgSubject(c.Config.FilterSubject)`,
		new:  `jetstream.WithGetMsgSubject("sub.>")`,
		pkg:  "./hub", test: "TestOldestUnackedIsOfTheOwnPartition",
	},
	{
		name: "holders-outlive-their-time", guarantee: "describe names no instance that is silent",
		file: "hub/holders.go",
		old:  `			return heard && now.Sub(seen) > joinTTL`,
		new:  `			return heard && now.Before(seen)`,
		pkg:  "./hub", test: "TestDescribeNamesTheHolders",
	},
	{
		name: "blocks-without-bytes", guarantee: "a hub's memory is bounded whatever the size of events",
		file: "ingest/window.go",
		old:  ` || last.bytes >= w.blockBytes`,
		new:  ``,
		pkg:  "./hub", test: "TestMemoryWithLargeEvents",
	},
	{
		name: "readers-without-budget", guarantee: "a hub's memory is bounded whatever the number of readers",
		file: "lane/source.go",
		old:  `		s.turn = s.memory.readers.Ask(s.memory.reader)`,
		new:  `		s.turn = s.memory.readers.Ask(1)`,
		pkg:  "./hub", test: "TestMemoryWithLargeEvents",
	},
}
