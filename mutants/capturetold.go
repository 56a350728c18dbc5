package main

// captureToldMutants are the mechanisms by which a capture says what it cannot publish and
// what has no effect, and by which it takes the rows of outboxes.
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
	{
		name: "outbox-row-twice", guarantee: "capture: a row of an outbox is an event exactly once",
		file: "capture/internal/engine/decode.go",
		old:  `d.enqueued(r, at, at.Compare(d.stored) <= 0)`,
		new:  `d.enqueued(r, at, stored)`,
		pkg:  "./capture/internal/engine", test: "TestOutboxRowThatComesAgain",
	},
	{
		name: "outbox-rows-stay", guarantee: "capture: the rows of an outbox are deleted before the slot passes them, if that is asked for",
		file: "capture/internal/engine/writer.go",
		old: `	if err := w.clean(ctx); err != nil {
		return err
	}
	next`,
		new: `	if err := w.settle(ctx); err != nil {
		return err
	}
	next`,
		pkg: "./capture/internal/engine", test: "TestOutboxOfThePackage",
	},
	{
		name: "locked-rows-passed", guarantee: "capture: rows of an outbox that are locked are deleted before the slot passes them",
		file: "capture/internal/engine/writer.go",
		old:  `w.held.Record.Settled(captured.NewID(), w.stored, w.cleaned)`,
		new:  `w.held.Record.Settled(captured.NewID(), w.stored, w.done)`,
		pkg:  "./capture/internal/engine", test: "TestLockedRowOfAnOutbox",
	},
	{
		name: "locked-rows-stop-all", guarantee: "capture: a row that somebody has locked holds up no event",
		file: "capture/internal/engine/writer.go",
		old:  `		if errors.Is(err, errLocked) && len(w.spent) < mostLocked {`,
		new:  `		if false {`,
		pkg:  "./capture/internal/engine", test: "TestLockedRowOfAnOutbox",
	},
	{
		name: "other-history", guarantee: "capture: a log without the last transaction that is stored is not that of what is stored",
		file: "capture/internal/engine/proof.go",
		old:  `t.Commit != want.Commit || want.XID != 0 && t != want {`,
		new:  `t.Commit < want.Commit {`,
		pkg:  "./capture/internal/engine", test: "TestProof",
	},
	{
		name: "log-unproven", guarantee: "capture: a database that was put back is told also if it caught up while nothing was captured",
		file: "capture/internal/engine/session.go",
		old:  `		from = min(from, r.Last.Commit)`,
		new:  `		from = max(from, r.Last.Commit)`,
		pkg:  "./capture/internal/engine", test: "TestDatabaseThatCaughtUpAlone",
	},
	{
		name: "default-untold", guarantee: "capture: a column that is added with a default is told",
		file: "capture/internal/source/tables.go",
		old:  `(atthasdef OR atthasmissing OR attidentity <> '')`,
		new:  `(attidentity <> '')`,
		pkg:  "./capture/internal/engine", test: "TestAlteredTable",
	},
	{
		name: "proven-by-another", guarantee: "11: a log that did not fit is proven by no later transaction",
		file: "capture/internal/engine/proof.go",
		old:  `		return false // and it stays open: no later transaction proves the log`,
		new:  "		p.expected = p.expected[1:]\n		return false",
		pkg:  "./capture/internal/engine", test: "TestProof",
	},
	{
		name: "narrowed-untold", guarantee: "11: a column whose values were rounded or cut is told",
		file: "capture/internal/engine/altered.go",
		old:  ` || narrowed(c.Type, before.Columns[at].Modifier, c.Modifier):`,
		new:  `:`,
		pkg:  "./capture/internal/engine", test: "TestNarrowedColumn",
	},
	{
		name: "large-row-looked-past", guarantee: "11: a row that is too large is not taken for one that is gone",
		file: "capture/internal/source/lookup.go",
		old:  `choose{query: everyRow, named: true, only: only}`,
		new:  `choose{query: everyRow, only: only}`,
		pkg:  "./capture/internal/source", test: "TestLookupOfAnotherType",
	},
	{
		name: "part-removed-deletes", guarantee: "11: what is removed from an entity does not delete it",
		file: "capture/internal/outboxtable/reader.go",
		old:  `if has && (joined(of) == "" || joined(of) == joined(entity)) {`,
		new:  `if has && (of != "" || joined(of) == joined(entity)) {`,
		pkg:  "./capture/internal/outboxtable", test: "TestEvent",
	},
}
