package main

// applyMutants take out what apply decides.
var applyMutants = []mutant{
	{
		name: "apply-dry-run-on-a-live-service", guarantee: "a dry run changes and takes nothing of a service that exists",
		file: "apply/dryrun.go",
		old:  "if inUse(was) {",
		new:  "if false && inUse(was) {",
		pkg:  "./apply", test: "TestDryRunLeavesALiveServiceAlone",
	},
	{
		name: "apply-lossy-type", guarantee: "the value in the column is the value in the event",
		file: "apply/infer.go",
		old:  "case s == sortMoment:\n\t\treturn \"timestamptz\"",
		new:  "case s&sortMoment != 0:\n\t\treturn \"timestamptz\"",
		pkg:  "./apply", test: "TestTypes",
	},
	{
		name: "apply-lifts-a-filter", guarantee: "what is registered and not wished otherwise stays",
		file: "apply/registration.go",
		old:  "if w.where == \"\" {",
		new:  "if false && w.where == \"\" {",
		pkg:  "./apply", test: "TestPlanRegistration",
	},
	{
		name: "apply-one-inbox-for-all", guarantee: "each change is applied once, for each service of a database",
		file: "apply/config.go",
		old:  "if name := prefix + service; len(name) <= most {",
		new:  "if name := prefix; service != \"\" {",
		pkg:  "./apply", test: "TestInboxTable",
	},
	{
		name: "apply-writes-what-does-not-fit", guarantee: "what does not fit is said before the first row is written",
		file: "apply/gate.go",
		old:  "case n == len(trials) && n > 1:",
		new:  "case false && n == len(trials) && n > 1:",
		pkg:  "./apply", test: "TestWeigh",
	},
	{
		name: "apply-caught-up-too-soon", guarantee: "apply, push --json: caught_up means that nothing is left",
		file: "cmd/replhub/statuslines.go",
		old:  "	case line.Left > 0:",
		new:  "	case line.Left > 1<<40:",
		pkg:  "./cmd/replhub", test: "TestStatusOfALine",
	},
	{
		name: "apply-few-deliveries", guarantee: "instances that are killed or cut off make no dead letters",
		file: "apply/registration.go",
		old:  ", MaxDeliver: bridge.NewMaxDeliver}",
		new:  "}",
		pkg:  "./apply", test: "TestPlanRegistration",
	},
}
