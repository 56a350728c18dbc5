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
		name: "toast-as-null", guarantee: "capture: a value that logical decoding left out is never null",
		file: "capture/internal/row/shape.go",
		old:  ` && t[n].Kind != change.Unchanged })`,
		new:  ` })`,
		pkg:  "./capture/internal/row", test: "TestPayload",
	},
	{
		name: "snapshot-version-too-high", guarantee: "capture: a row of a snapshot does not win over a change that it does not contain",
		file: "capture/internal/source/snapshot.go",
		old:  `		if one.xid < xmin && one.lsn > best.lsn {`,
		new:  `		if one.lsn > best.lsn {`,
		pkg:  "./capture/internal/source", test: "TestVersionBesideAnOpenTransaction",
	},
	{
		name: "table-without-key-captured", guarantee: "capture: what would lose changes is told before anything is made",
		file: "capture/internal/source/checktables.go",
		old:  `	if all || len(notIn(key, columns)) == 0 {`,
		new:  `	if all || len(notIn(key, columns)) >= 0 {`,
		pkg:  "./capture/internal/source", test: "TestCheck",
	},
	{
		name: "large-value-too-early", guarantee: "capture: a large value is that of the change, or of a later one",
		file: "capture/internal/engine/decode.go",
		old:  `	if d.awaited != d.xid {`,
		new:  `	if d.awaited > d.xid {`,
		pkg:  "./capture/internal/engine", test: "TestLargeValueOfACommitThatIsNotSeen",
	},
}
