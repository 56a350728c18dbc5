package main

// captureSourceMutants are the mechanisms by which a capture reads what a database has,
// and by which records of captures stay apart from the events of services.
var captureSourceMutants = []mutant{
	{
		name: "hidden-rows", guarantee: "capture: a row that row security hides is an error, not a row that is gone",
		file: "capture/internal/change/change.go",
		old:  `"row_security": "off",`,
		new:  `"row_security": "on",`,
		pkg:  "./capture/internal/source", test: "TestRowSecurityHidesNoRow",
	},
	{
		name: "citext-order", guarantee: "capture: a snapshot over a key of citext has each row",
		file: "capture/internal/source/scan.go",
		old:  "forms[n] += `::text COLLATE \"C\"`",
		new:  `forms[n] += ""`,
		pkg:  "./capture/internal/source", test: "TestRowsByKey",
	},
	{
		name: "foreign-record", guarantee: "capture: an event of another publisher does not stop a trim as a record would",
		file: "internal/captured/log.go",
		old:  `if err == nil && msg.Header.Get(contract.HeaderKey) != l.entity {`,
		new:  `if err == nil && msg.Header.Get(contract.HeaderKey) == "" {`,
		pkg:  "./internal/captured", test: "TestEventsOfOthersAreNoRecords",
	},
	{
		name: "emitted-record", guarantee: "capture: a message in the log is never published as a record of a capture",
		file: "capture/internal/engine/outbox.go",
		old:  `if captured.Reserved(m.Entity) {`,
		new:  `if captured.Reserved(m.Op) {`,
		pkg:  "./capture/internal/engine", test: "TestEmittedEventOfACapture",
	},
	{
		name: "lookup-by-name", guarantee: "capture: a large value is read from the table that had the change",
		file: "capture/internal/engine/lookup.go",
		old:  `case string(result.Rows[0][0]) != "t":`,
		new:  `case false:`,
		pkg:  "./capture/internal/engine", test: "TestLargeValueOfATableThatWasRenamed",
	},
	{
		name: "renamed-exclusion", guarantee: "capture: an excluded column that is renamed is not published",
		file: "capture/internal/source/tables.go",
		old:  `	if len(notIn(names, now)) == 0 {`,
		new: `	if len(now) > 0 {
		unmet = nil
	} else {`,
		pkg: "./capture/internal/source", test: "TestExcludedColumnThatWasRenamed",
	},
	{
		name: "went-back-forgotten", guarantee: "capture: a database that went back is told until a resync, also when it has caught up",
		file: "capture/internal/engine/session.go",
		old:  `next.ID, next.WentBack = captured.NewID(), true`,
		new:  `next.ID, next.WentBack = captured.NewID(), false`,
		pkg:  "./capture/internal/engine", test: "TestDatabaseThatWentBackAndCaughtUp",
	},
	{
		name: "unknown-lift", guarantee: "capture: the rows of a resync win also when the record was lost with ingest",
		file: "capture/internal/engine/resync.go",
		old:  `		lift = unknownLift`,
		new:  `		lift = 0`,
		pkg:  "./capture/internal/engine", test: "TestPlan",
	},
}
