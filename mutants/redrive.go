package main

// redriveMutants are about dead letters that come back (package redrive).
var redriveMutants = []mutant{
	{
		name: "redrive-twice", guarantee: "2: a letter that a crash left behind does not come back a second time",
		file: "hub/internal/deadletter/redrive/portion.go",
		old:  `	if p.state.HasRedriven(l.LetterID) {`,
		new:  `	if p.state.HasRedriven(l.LetterID) && false {`,
		pkg:  "./hub/internal/deadletter/redrive", test: "TestScripts",
	},
	{
		name: "redrive-not-finished", guarantee: "9: a redrive finishes those that a crash cut short",
		file: "hub/internal/deadletter/redrive/redrive.go",
		old:  `		if len(s.Redriven) == 0 {`,
		new:  `		if len(s.Redriven) >= 0 {`,
		pkg:  "./hub/internal/deadletter/redrive", test: "TestScripts",
	},
}
