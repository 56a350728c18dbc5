package main

// leaderMutants are the mechanisms for streams that have no leader yet.
var leaderMutants = []mutant{
	{
		name: "create-gives-up", guarantee: "6: a new stream is asked again until it has a leader",
		file: "hub/internal/lane/create.go",
		old:  `case !hubstream.Leaderless(err) && !errors.Is(err, context.DeadlineExceeded):`,
		new:  `case !errors.Is(err, context.DeadlineExceeded):`,
		pkg:  "./hub/internal/lane", test: "TestCreateWaitsForAnAnswer",
	},
	{
		name: "kept-gives-up", guarantee: "6: a new stream is asked again until it has a leader",
		file: "hub/internal/hubstream/kept.go",
		old:  `time.Since(began) > leaderTime {`,
		new:  `time.Since(began) > 0 {`,
		pkg:  "./hub/internal/hubstream", test: "TestDoWaitsForALeader",
	},
}
