package main

// rowsMutants are the mechanisms by which a captured row is the event that it has to be.
var rowsMutants = []mutant{
	{
		name: "key-without-escape", guarantee: "capture: two rows never have one key",
		file: "capture/internal/row/text.go",
		old:  `c != '"' && c != '\\' && c != 0x7f`,
		new:  `c != '\\' && c != 0x7f`,
		pkg:  "./capture/internal/row", test: "TestKey",
	},
	{
		name: "numeric-key-with-zeros", guarantee: "capture: a key has one text",
		file: "capture/internal/row/key.go",
		old:  `	if t.kind == kindNumeric {`,
		new:  `	if t.kind == kindArray {`,
		pkg:  "./capture/internal/row", test: "TestKey",
	},
	{
		name: "toast-left-out", guarantee: "capture: a value that logical decoding left out is never null",
		file: "capture/internal/row/shape.go",
		old:  `	case change.Null:`,
		new:  `	case change.Null, change.Unchanged:`,
		pkg:  "./capture/internal/row", test: "TestPayload",
	},
}
