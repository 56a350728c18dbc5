package main

// valuesMutants are the mechanisms by which a row is what its event says.
var valuesMutants = []mutant{
	{
		name: "value-rounded", guarantee: "7: the value in the column is that of the event",
		file: "inbox/rule_number.go",
		old:  `case d.digits != "" && -d.exp > n.fraction:`,
		new:  `case d.digits != "" && -d.exp > 100+n.fraction:`,
		pkg:  "./inbox", test: "TestTypes",
	},
	{
		name: "value-in-sessions-zone", guarantee: "7: sessions do not change values",
		file: "inbox/catalog_mariadb.go",
		old:  `NO_AUTO_VALUE_ON_ZERO', time_zone = '+00:00' FOR "`,
		new:  `NO_AUTO_VALUE_ON_ZERO' FOR "`,
		pkg:  "./inbox", test: "TestTypes",
	},
	{
		name: "value-no-text", guarantee: "7: what is no text is not stored as another",
		file: "inbox/column.go",
		old:  `case v.kind == jsonString && !v.exact:`,
		new:  `case v.kind == jsonString && !v.exact && v.text != "":`,
		pkg:  "./inbox", test: "TestTypes",
	},
	{
		name: "key-any-spelling", guarantee: "7: each key is a row of its own",
		file: "inbox/rule_number.go",
		old:  `if !canonicalInteger(text) {`,
		new:  `if !canonicalInteger(text) && text != "042" {`,
		pkg:  "./inbox", test: "TestKeysOfAnIntegerColumn",
	},
	{
		name: "key-blurred", guarantee: "7: a table that takes two keys for one is refused",
		file: "inbox/shape.go",
		old:  `case key.blurs != "":`,
		new:  `case key.blurs == "?":`,
		pkg:  "./inbox", test: "TestTableThatCannotTellKeysApart",
	},
	{
		name: "row-of-snapshot-is-duplicate", guarantee: "7: a second snapshot repairs",
		file: "inbox/record.go",
		old:  `return d.Row > 0`,
		new:  `return d.Row > 1<<40`,
		pkg:  "./inbox", test: "TestSecondSnapshotRepairs",
	},
	{
		name: "unmapped-untold", guarantee: "7: what is not mapped is told",
		file: "inbox/payload.go",
		old:  `f.unmapped = append(f.unmapped, prefix+name)`,
		new:  `f.unmapped = append(f.unmapped[:0], prefix+name)`,
		pkg:  "./inbox", test: "TestUnmappedIsTold",
	},
}
