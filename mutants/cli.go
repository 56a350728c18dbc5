package main

// cliMutants are the mechanisms of the command line.
var cliMutants = []mutant{
	{
		name: "next-takes-ahead", guarantee: "next: nothing is delivered that is not shown",
		file: "cmd/replhub/nextkeyed.go",
		old:  `		if err := q.fetch(p, 1); err != nil {`,
		new:  `		if err := q.fetch(p, 16); err != nil {`,
		pkg:  "./cmd/replhub", test: "TestNextTakesNothingAhead",
	},
	{
		name: "next-skips-what-was-left", guarantee: "next: what another instance left comes first, in order",
		file: "cmd/replhub/nextkeyed.go",
		old:  `		if elsewhere <= 0 {`,
		new:  `		if true {`,
		pkg:  "./cmd/replhub", test: "TestNextTakesWhatWasLeftFirst",
	},
	{
		name: "next-does-not-leave", guarantee: "next: its partitions are free at once",
		file: "cmd/replhub/nextkeyed.go",
		old:  `errors.Join(q.notGivenBack, q.member.leave())`,
		new:  `errors.Join(q.notGivenBack, func() error { q.member.stop(); return nil }())`,
		pkg:  "./cmd/replhub", test: "TestNextLeavesWhenInterrupted",
	},
	{
		name: "output-closed-unnoticed", guarantee: "a command ends when nobody reads its output",
		file: "cmd/replhub/closedoutput.go",
		old:  `		if readerGone(f.Fd()) {`,
		new:  `		if false {`,
		pkg:  "./cmd/replhub", test: "TestWatchEndsWithItsOutput",
	},
	{
		name: "empty-number-taken", guarantee: "a number of 0 that is given is refused",
		file: "cmd/replhub/root.go",
		old:  `		PersistentPreRunE: refuseEmptyNumbers,`,
		new:  ``,
		pkg:  "./cmd/replhub", test: "TestWrongUsage",
	},
	{
		name: "no-tls-first", guarantee: "serve reaches a server with handshake_first",
		file: "cmd/replhub/hubnats.go",
		old:  `		opts = append(opts, nats.TLSHandshakeFirst())`,
		new:  ``,
		pkg:  "./cmd/replhub", test: "TestServeOverTLS",
	},
	{
		name: "errors-without-json", guarantee: "cli: with --json every error is JSON",
		file: "cmd/replhub/exit.go",
		old:  `		_ = a.printJSON(errorBody(err, usage)) // the error is told on stderr already`,
		new:  `		_ = errorBody(err, usage)`,
		pkg:  "./cmd/replhub", test: "TestErrorsAreJSON",
	},
	{
		name: "usage-without-json", guarantee: "cli: so is that of a command line that cannot be parsed",
		file: "cmd/replhub/root.go",
		old:  `a.json = a.json || asksForJSON(args)`,
		new:  `a.json = a.json || false && asksForJSON(args)`,
		pkg:  "./cmd/replhub", test: "TestErrorsAreJSON",
	},
	{
		name: "dlq-rm-partly-is-done", guarantee: "cli: what was not removed is told by the exit code",
		file: "cmd/replhub/dlqrm.go",
		old:  `	if len(outcome.Left) == 0 {`,
		new:  `	if len(outcome.Left) == 0 || outcome.Removed > 0 {`,
		pkg:  "./cmd/replhub", test: "TestDLQ",
	},
	{
		name: "dlq-redrive-of-nothing-is-done", guarantee: "cli: that nothing was redriven is told by the exit code",
		file: "cmd/replhub/dlqredrive.go",
		old:  `	case r.Redriven == 0 && len(r.Left) == 0 && !r.More:`,
		new:  `	case false:`,
		pkg:  "./cmd/replhub", test: "TestVerbs",
	},
}
