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
	{
		name: "unfit-row-unrecorded", guarantee: "capture: a change that is left out is in the record before a later change is stored",
		file: "capture/internal/engine/writer.go",
		old:  `	if !first && len(w.alarms) < mostAlarms {`,
		new:  `	if len(w.alarms) < mostAlarms {`,
		pkg:  "./capture/internal/engine", test: "TestUnfitRows",
	},
	{
		name: "unfit-rows-end-a-snapshot", guarantee: "capture: rows that cannot be events do not end a snapshot",
		file: "capture/internal/source/snapshot.go",
		old:  `	for yielded := 0; yielded == 0; {`,
		new:  `	for yielded := 0; yielded == 0; yielded++ {`,
		pkg:  "./capture/internal/source", test: "TestRowsThatAreUnfit",
	},
}
