package main

// attackMutants take out what holds against slips of an operator's hand.
var attackMutants = []mutant{
	{
		name: "token-in-the-log", guarantee: "a message names a server without its token",
		file: "internal/reconnect/secrets.go",
		old:  `	return WithoutSecrets(at)`,
		new:  `	return nc.ConnectedUrlRedacted()`,
		pkg:  "./cmd/replhub", test: "TestServeDoesNotShowATokenOfTheURL",
	},
	{
		name: "quota-passed-in-silence", guarantee: "no lane gets more bytes than the quota",
		file: "hub/config.go",
		old:  `		return min(c.LaneMaxBytes, c.MaxLaneBytes)`,
		new:  `		return c.LaneMaxBytes`,
		pkg:  "./hub", test: "TestQuotas",
	},
	{
		name: "last-of-two-names-wins", guarantee: "a policy is not opened by a slip",
		file: "internal/contract/duplicate.go",
		old:  `			if seen[name] {`,
		new:  `			if false {`,
		pkg:  "./internal/contract", test: "TestPolicyIsNotOpenedByASlip",
	},
	{
		name: "erasures-queue-in-silence", guarantee: "a request is answered in the caller's time",
		file: "hub/internal/erase/erase.go",
		old:  `context.WithTimeout(ctx, turnTime)`,
		new:  `context.WithTimeout(ctx, 20*turnTime)`,
		pkg:  "./hub", test: "TestErasuresAtOnce",
	},
	{
		name: "erase-asks-once", guarantee: "an erasure waits for its turn",
		file: "cmd/replhub/erasepages.go",
		old:  `now.Sub(p.since) < eraseTurn`,
		new:  `now.Sub(p.since) < 0`,
		pkg:  "./cmd/replhub", test: "TestPatienceOfAnErasure",
	},
	{
		name: "empty-filter-passes-all", guarantee: "a policy is not opened by a slip",
		file: "internal/contract/policy.go",
		old:  `stated && strings.TrimSpace(read.Filter) == ""`,
		new:  `stated && false`,
		pkg:  "./internal/contract", test: "TestPolicyIsNotOpenedByASlip",
	},
}
