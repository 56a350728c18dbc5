package main

// bridgeMutants take out what capture, apply and push have in common.
var bridgeMutants = []mutant{
	{
		name: "once-without-position", guarantee: "--once ends when everything that ingest held at the start is done",
		file: "internal/bridge/caughtup.go",
		old:  "return !at.before(goal) &&",
		new:  "return (true || !at.before(goal)) &&",
		pkg:  "./internal/bridge", test: "TestCopied",
	},
	{
		name: "once-before-acknowledgement", guarantee: "--once ends when everything that ingest held at the start is done",
		file: "internal/bridge/caughtup.go",
		old:  "c.AckFloor >= w.last || now.Sub(since) >= settle)",
		new:  "c.AckFloor >= w.last || true || now.Sub(since) >= settle)",
		pkg:  "./internal/bridge", test: "TestCaughtUp",
	},
	{
		name: "setting-that-does-not-exist", guarantee: "no misspelt setting is ignored",
		file: "internal/yamlconfig/yamlconfig.go",
		old:  "if !slices.Contains(p.known, m.name) {",
		new:  "if false && !slices.Contains(p.known, m.name) {",
		pkg:  "./internal/yamlconfig", test: "TestRefusals",
	},
}
