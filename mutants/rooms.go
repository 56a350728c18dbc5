package main

// roomsMutants are the mechanisms of the hub's rooms.
var roomsMutants = []mutant{
	{
		name: "trouble-without-cause", guarantee: "a stall is classed by its error, not by its words",
		file: "hub/internal/episode/episode.go",
		old:  `	e.cause = err`,
		new:  ``,
		pkg:  "./hub/internal/episode", test: "TestCauseIsTheLatestError",
	},
	{
		name: "created-within-a-deletion", guarantee: "9: a lane created again keeps its folder",
		file: "hub/internal/lanes/set.go",
		old:  `		if !gone || time.Since(at) > hubstream.DeletionTime {`,
		new:  `		if !gone || time.Since(at) >= 0 {`,
		pkg:  "./hub/internal/lanes", test: "TestNoLaneIsCreatedWithinADeletion",
	},
}
