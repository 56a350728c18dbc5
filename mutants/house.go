package main

// houseMutants take out what holds a form that other programs read.
var houseMutants = []mutant{
	{
		name: "go-name-in-a-refusal", guarantee: "a refusal names the member of the request",
		file: "internal/contract/decode.go",
		old:  `jsonPath(typeErr.Field)`,
		new:  `typeErr.Field`,
		pkg:  "./internal/contract", test: "TestDecodeNamesTheMember",
	},
	{
		name: "secret-in-a-message", guarantee: "a message names a server without its password",
		file: "internal/reconnect/secrets.go",
		old:  `		if !strings.Contains(part, "://") {`,
		new:  `		if part == "" {`,
		pkg:  "./internal/reconnect", test: "TestWithoutSecrets",
	},
	{
		name: "newer-ledger-is-written", guarantee: "1: a hub leaves a ledger alone that it does not understand",
		file: "hub/internal/ingest/retention/ledger.go",
		old:  `	if l.Form > ledgerForm {`,
		new:  `	if l.Form < 0 {`,
		pkg:  "./hub/internal/ingest/retention", test: "TestLedgerOfANewerForm",
		noSim: "one version of the hub runs here",
	},
}
