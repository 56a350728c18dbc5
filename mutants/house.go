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
}
