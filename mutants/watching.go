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
}
