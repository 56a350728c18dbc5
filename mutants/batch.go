package main

// batchMutants are the mechanisms of open appends.
var batchMutants = []mutant{
	{
		name: "first-not-alone", guarantee: "2: no second message before the server takes the first as a batch",
		file: "hub/internal/lane/open.go",
		old:  `	b.window.Store(1) // until`,
		new:  `	b.window.Store(1000) // until`,
		pkg:  "./hub/internal/lane", test: "TestBatchKeepsToTheFlow|TestBatchThatEndsOfItself",
	},
	{
		name: "flow-ignored", guarantee: "2: a lane sends no more than the server says",
		file: "hub/internal/lane/answer.go",
		old:  `min(max(r.Flow, 1), fastFlow))`,
		new:  `min(max(r.Flow, fastFlow), fastFlow))`,
		pkg:  "./hub/internal/lane", test: "TestBatchKeepsToTheFlow",
	},
	{
		name: "prefix-is-all", guarantee: "2: an append counts as stored by its own batch's acknowledgement, for all of it",
		file: "hub/internal/lane/open.go",
		old:  `	if b.Unstored() != 0 {`,
		new:  `	if b.Unstored() < 0 {`,
		pkg:  "./hub/internal/lane", test: "TestAnswersToABatch",
	},
	{
		name: "single-taken-for-batch", guarantee: "2: an append counts as stored by its own batch's acknowledgement, for all of it",
		file: "hub/internal/lane/answer.go",
		old:  `	case r.Batch != b.id:`,
		new:  `	case r.Batch != b.id && r.Batch == b.stream:`,
		pkg:  "./hub/internal/lane", test: "TestAnswersToABatch",
	},
	{
		name: "batches-grow", guarantee: "a batch of large events does not overrun the server's queue",
		file: "hub/internal/lane/core/append.go",
		old:  `	case final || w.takesNoMore():`,
		new:  `	case final:`,
		pkg:  "./hub/internal/lane/core", test: "TestScripts",
		noSim: "the model knows no queue that overruns",
	},
}
