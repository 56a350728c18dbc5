package main

var consoleMutants = []mutant{
	{
		name: "console-tries-hidden-payloads", guarantee: "where payloads are hidden, nothing that is tried tells of them", file: "hub/internal/console/playground.go",
		old: "if !c.cfg.HidePayloads || !interest.ReadsPayload() {", new: "if true {",
		pkg: "./hub", test: "TestConsoleTriesNothingOnHiddenPayloads",
	},
	{
		name: "console-policy", guarantee: "no page loads or runs anything but the hub's own files", file: "hub/internal/console/guard.go",
		old: `script-src 'self'; style-src 'self';`, new: `script-src 'self' 'unsafe-inline'; style-src 'self';`,
		pkg: "./hub", test: "TestConsoleIsStrictAboutContents",
	},
	{
		name: "console-origin", guarantee: "another site cannot act with a browser's session", file: "hub/internal/console/guard.go",
		old: "	sameOrigin := c.origin.Handler(next)\n", new: "	sameOrigin := next\n",
		pkg: "./hub", test: "TestConsoleRefusesOtherSites",
	},
	{
		name: "console-rebinding", guarantee: "a name that points here does not open the console", file: "hub/internal/console/guard.go",
		old: "if c.cfg.Token == nil && !loopbackHost(r.Host) {", new: "if false {",
		pkg: "./hub", test: "TestConsoleRefusesOtherSites",
	},
	{
		name: "console-reads", guarantee: "a console that only reads does nothing", file: "hub/internal/console/actions.go",
		old: "	if !c.operates() {\n", new: "	if false {\n",
		pkg: "./hub", test: "TestConsoleOnlyReadsByDefault",
	},
	{
		name: "rewind-dry-run", guarantee: "a rewind that is only looked at changes nothing", file: "hub/internal/control/rewind.go",
		old: "	if req.DryRun {\n		rewind = l.LookRewind\n", new: "	if false {\n		rewind = l.LookRewind\n",
		pkg: "./hub", test: "TestConsoleOperatesALane",
	},
	{
		name: "console-upto", guarantee: "an action on a group of dead letters touches those that were shown", file: "hub/internal/console/view/letters.go",
		old: "return seq > upTo })", new: "return false })",
		pkg: "./hub/internal/console/view", test: "TestGroupIsTheOneThatWasShown",
	},
}
