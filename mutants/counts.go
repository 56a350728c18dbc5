package main

// countsMutants are the mechanisms behind what metrics count.
var countsMutants = []mutant{
	{
		name: "letter-counted-twice", guarantee: "8: a dead letter is counted once",
		file: "hub/internal/deadletter/store.go",
		old:  `return ack.Sequence, false, nil`,
		new:  `return ack.Sequence, true, nil`,
		pkg:  "./hub", test: "TestDeadLetterIsCountedOnce",
	},
	{
		name: "lost-answer-not-counted", guarantee: "2: a copy is counted once it is stored",
		file: "hub/internal/lane/core/view.go",
		old:  `l.window.storedUpTo(tip.Last) // the answer was lost`,
		new:  `_ = l.window.storedUpTo`,
		pkg:  "./hub/internal/lane/core", test: "TestScripts",
		noSim: "it concerns a metric",
	},
	{
		name: "lag-by-sequence", guarantee: "3: a lane in an earlier epoch lacks all of the later one",
		file: "hub/internal/report/lane.go",
		old:  `if at.Epoch < end.Epoch {`,
		new:  `if false {`,
		pkg:  "./hub", test: "TestLagOfALaneInAnEarlierEpoch",
	},
	{
		name: "consumers-created-too-soon", guarantee: "9: a consumer that is being created is left to who creates it",
		file: "hub/internal/consumers/watch.go",
		old:  `if !before || missing < known.missing {`,
		new:  `if !before {`,
		pkg:  "./hub/internal/consumers", test: "TestMissingConsumersAreCreatedAtTheSecondLook",
	},
}
