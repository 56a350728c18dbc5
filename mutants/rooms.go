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
}
