package main

// captureToldMutants are the mechanisms by which a capture says what it cannot publish,
// and what has no effect.
var captureToldMutants = []mutant{
	{
		name: "silent-exclusion", guarantee: "capture: an exclusion that matches nothing is told, also one with *",
		file: "capture/internal/selection/selection.go",
		old:  `		if !found {`,
		new:  `		if !found && e.column.exact {`,
		pkg:  "./capture/internal/selection", test: "TestUnused",
	},
}
