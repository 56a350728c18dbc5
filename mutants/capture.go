package main

// captureMutants are the mechanisms by which each change of a captured database is in
// ingest once and in the order of the commits.
var captureMutants = []mutant{
	{
		name: "doubt-not-read-back", guarantee: "capture: what is in doubt is settled by reading back what is stored",
		file: "internal/captured/log.go",
		old:  `stored, err = l.last(ctx, held)`,
		new:  `stored = held.Record.Position`,
		pkg:  "./internal/captured", test: "TestClaimReadsBackWhatIsStored",
	},
	{
		name: "own-change-hidden", guarantee: "capture: another publisher's event hides no change that is stored",
		file: "internal/captured/log.go",
		old:  `for seq := behind + 1; seq <= msg.Sequence; {`,
		new:  `for seq := msg.Sequence; seq <= msg.Sequence; {`,
		pkg:  "./internal/captured", test: "TestClaimReadsBackWhatIsStored",
	},
	{
		name: "claim-forgets-from", guarantee: "capture: a process that dies in doubt leaves the question to the next one",
		file: "internal/captured/record.go",
		old: `	if r.From == 0 {
		r.From = seq
	}`,
		new: `	r.From = seq`,
		pkg: "./internal/captured", test: "TestClaimReadsBackWhatIsStored",
	},
	{
		name: "append-without-fence", guarantee: "capture: nothing is stored that was sent before another process took over",
		file: "capture/internal/engine/append.go",
		old:  `	if fenced {`,
		new:  `	if fenced && a.fence == "" {`,
		pkg:  "./capture/internal/engine", test: "TestAppendsAreFenced",
	},
	{
		name: "confirm-before-ack", guarantee: "capture: the slot is confirmed only behind what is stored",
		file: "capture/internal/engine/stream.go",
		old:  `at := pglogrepl.LSN(s.confirmed.Load())`,
		new:  `at := pglogrepl.LSN(s.end + s.confirmed.Load()*0)`,
		pkg:  "./capture/internal/engine", test: "TestNothingIsConfirmedBeforeItIsStored",
	},
	{
		name: "moved-slot-accepted", guarantee: "capture: a slot that has passed changes which are not in ingest is refused",
		file: "capture/internal/engine/judge.go",
		old:  `case s.confirmed > r.Confirm:`,
		new:  `case s.confirmed > s.end:`,
		pkg:  "./capture/internal/engine", test: "TestOrigin",
	},
	{
		name: "toast-not-looked-up", guarantee: "capture: a large value that an update leaves alone is in the event",
		file: "capture/internal/engine/decode.go",
		old:  `	if len(d.missing) > 0 {`,
		new:  `	if len(d.missing) > 1 {`,
		pkg:  "./capture/internal/engine", test: "TestUnchangedLargeValue",
	},
	{
		name: "record-trimmed-away", guarantee: "capture: a capture that was away for long still finds what is stored",
		file: "hub/internal/ingest/perform.go",
		old:  `	below, kept := captured.Keep(ctx, g.cfg.JS, below, "a hub that trims ingest")`,
		new: `	below, kept := captured.Keep(ctx, g.cfg.JS, 0, "a hub that trims ingest")
	below = 1 << 62`,
		pkg: "./hub/internal/ingest", test: "TestTrimKeepsTheRecordOfACapture",
	},
}
