package main

// eraseMutants take out what keeps an erasure complete, and what keeps it from looking like
// a loss.
var eraseMutants = []mutant{
	{
		name: "erased-event-is-read", guarantee: "an event that is recorded as erased reaches no lane",
		file: "hub/internal/ingest/reader.go",
		old:  "if r.all || !is {",
		new:  "if r.all || !is || seq > 0 {",
		pkg:  "./hub/internal/ingest", test: "TestReadersPassOverErasedEvents",
	},
	{
		name: "erased-event-in-memory", guarantee: "an event that is recorded as erased leaves the memory of hubs",
		file: "hub/internal/ingest/window.go",
		old:  "if m, erased := w.ledger.ErasedAt(e.Pos.Seq); erased &&",
		new:  "if m, erased := w.ledger.ErasedAt(e.Pos.Seq); false && erased &&",
		pkg:  "./hub", test: "TestEraseBeforeALaneThatIsBehind",
	},
	{
		name: "erase-without-a-record", guarantee: "2: the lane's place never depends on a message that is erased",
		file: "hub/internal/erase/lanes.go",
		old:  "if err := p.cfg.Fence(ctx, service); errors.Is",
		new:  "if err := error(nil); errors.Is",
		pkg:  "./hub", test: "TestErase",
	},
	{
		name: "erased-sequence-used-again", guarantee: "1: an event that gets the sequence of an erased and lost one reaches the lanes",
		file: "hub/internal/ingest/reader.go",
		old:  "if is && !erased.Time.Equal(meta.Timestamp) {",
		new:  "if false && is && !erased.Time.Equal(meta.Timestamp) {",
		pkg:  "./hub/internal/ingest", test: "TestSequenceOfAnErasedEventIsUsedAgain",
	},
	{
		name: "erase-stops-at-a-broken-lane", guarantee: "a lane that cannot be written keeps no other lane from being erased from",
		file: "hub/internal/erase/lanes.go",
		old:  "case ctx.Err() != nil || many || errors.Is(err, lane.ErrStopped) ||",
		new:  "case true || ctx.Err() != nil || many || errors.Is(err, lane.ErrStopped) ||",
		pkg:  "./hub", test: "TestEraseBesideABrokenLane",
	},
	{
		name: "erase-stops-at-broken-letters", guarantee: "a stream that cannot be written keeps no lane from being erased from",
		file: "hub/internal/erase/erase.go",
		old:  "done, err = p.try(ctx, contract.StreamDLQ, p.letters)",
		new:  "done, err = p.letters(ctx)",
		pkg:  "./hub", test: "TestEraseBesideBrokenStreams",
	},
	{
		name: "ledger-that-lost-writes", guarantee: "what a hub knows comes back into a ledger that lost its last writes, and the hub hears of what is written since",
		file: "hub/internal/ingest/retention/recall.go",
		old:  "if l.Pinnings < known.Pinnings {",
		new:  "if false && l.Pinnings < known.Pinnings {",
		pkg:  "./hub/internal/ingest/retention", test: "TestRecallWithinAnEpoch",
		noSim: "the simulation restores no older ledger",
	},
	{
		name: "erased-first-events", guarantee: "3: an erased event is not taken for a trimmed one",
		file: "hub/internal/ingest/retention/erased.go",
		old:  "for b.First > max(l.Floor, 1) {",
		new:  "for false && b.First > max(l.Floor, 1) {",
		pkg:  "./hub/internal/ingest/retention", test: "TestScripts",
		noSim: "the simulation erases nothing",
	},
	{
		name: "lost-event-taken-for-erased", guarantee: "3: an event that ingest lost is not taken for an erased one",
		file: "hub/internal/ingest/retention/erased.go",
		old:  "if !erased || m.Time.Before(before)",
		new:  "if erased && m.Time.Before(before)",
		pkg:  "./hub/internal/ingest/retention", test: "TestExplains",
		noSim: "the simulation erases nothing",
	},
	{
		name: "erase-takes-newer-events", guarantee: "1: events that came after an erasure began stay",
		file: "hub/internal/erase/judge.go",
		old:  "return !ok || !end.Before(pos)",
		new:  "return true || !ok || !end.Before(pos)",
		pkg:  "./hub/internal/erase", test: "TestWhatARequestIsAbout",
	},
	{
		name: "erased-row-in-hand", guarantee: "rows that were fetched before an erasure are fetched again",
		file: "hub/internal/lane/read.go",
		old:  "		d.core.EventsErased()",
		new:  "		_ = d.core",
		pkg:  "./hub", test: "TestEraseBesideASnapshot",
	},
	{
		name: "gap-asks-in-the-callers-time", guarantee: "1: a reader loses no message while it asks what was erased",
		file: "hub/internal/ingest/reader.go",
		old:  `context.WithTimeout(context.WithoutCancel(ctx), askTime)`,
		new:  `context.WithTimeout(ctx, askTime)`,
		pkg:  "./hub/internal/ingest", test: "TestMessageOutlivesTheWaitForIt",
	},
}
