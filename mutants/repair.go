package main

// repairMutants are the mechanisms of backfills, and of connections that outlive
// changed credentials.
var repairMutants = []mutant{
	{
		name: "backfill-same-ids", guarantee: "backfill: its rows are not the first snapshot's",
		file: "hub/internal/lane/owner.go",
		old:  `Snapshot: cmp.Or(from.ID, o.interest.ID)`,
		new:  `Snapshot: cmp.Or(o.interest.ID, from.ID)`,
		pkg:  "./hub", test: "TestBackfillIsFilteredAndProjected",
	},
	{
		name: "backfill-unfiltered", guarantee: "backfill: its filter holds beside the interest's",
		file: "hub/internal/lane/compiled.go",
		old:  `in, only = in.ForRows(of), of.Filter`,
		new:  `in, only = in.ForRows(of), ""`,
		pkg:  "./hub", test: "TestBackfillIsFilteredAndProjected",
	},
	{
		name: "backfill-of-old-fields", guarantee: "backfill: one that began under another definition begins again",
		file: "hub/internal/lane/record/backfill.go",
		old:  `return cmp.Or(s.Rev, 1) != in.Rev`,
		new:  `return false`,
		pkg:  "./hub/internal/lane/record", test: "TestOutdatedRows",
		noSim: noRows,
	},
	{
		name: "backfill-takes-others-rows", guarantee: "backfill: takes no rows that were fetched for another fill",
		file: "hub/internal/lane/core/rows.go",
		old:  `return f.from.ID == s.ID && f.from.Row`,
		new:  `return f.from.Row`,
		pkg:  "./hub/internal/lane/core", test: "TestScripts",
		noSim: noRows,
	},
	{
		name: "backfill-unbounded", guarantee: "backfill: a state record can always be written again",
		file: "hub/internal/control/backfill.go",
		old:  `next, err = next.Bounded(tip.State, v.cfg.Conn.MaxPayload())`,
		new:  `_, err = next.Bounded(tip.State, 1<<30)`,
		pkg:  "./hub", test: "TestBackfillThatDoesNotFitARecord",
	},
	{
		name: "backfill-old-form", guarantee: "backfill: a hub that knows none leaves the lane alone",
		file: "hub/internal/lane/record/state.go",
		old:  `		s.Form = backfillForm`,
		new:  `		s.Form = snapshotForm`,
		pkg:  "./hub/internal/lane/record", test: "TestRecordOfABackfill",
		noSim: noRows,
	},
	{
		name: "rows-asked-for-again", guarantee: "snapshots: reading a lane again asks no owner again",
		file: "hub/internal/lane/core/lane.go",
		old:  `	case l.view.known != read:`,
		new:  "	case l.view.known != read:\n		l.rows.dropAll()",
		pkg:  "./hub/internal/lane/core", test: "TestScripts",
		noSim: noRows,
	},
	{
		name: "credentials-refused-twice", guarantee: "a connection never gives up by itself",
		file: "internal/reconnect/supervisor.go",
		old:  `o.AllowReconnect, o.MaxReconnect, o.IgnoreAuthErrorAbort = true, -1, true`,
		new:  `o.AllowReconnect, o.MaxReconnect = true, -1`,
		pkg:  ".", test: "TestRotatedCredentials",
	},
	{
		name: "credentials-options-last", guarantee: "a connection never gives up by itself, whatever options say",
		file: "internal/reconnect/supervisor.go",
		old:  `o.AllowReconnect, o.MaxReconnect, o.IgnoreAuthErrorAbort = true, -1, true`,
		new:  `o.IgnoreAuthErrorAbort = true`,
		pkg:  "./internal/reconnect", test: "TestRotation",
	},
	{
		name: "credentials-read-once", guarantee: "credentials are read at each attempt",
		file: "internal/reconnect/files.go",
		old:  `		text, err := read()`,
		new:  `		text, err := first, error(nil)`,
		pkg:  "./internal/reconnect", test: "TestRotation",
	},
	{
		name: "credentials-nkey-once", guarantee: "an nkey is read at each attempt",
		file: "internal/reconnect/files.go",
		old:  `			k.renewNkey(f.Nkey)`,
		new:  `			_ = k.renewNkey`,
		pkg:  "./internal/reconnect", test: "TestRotation",
	},
}
