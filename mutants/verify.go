package main

// verifyMutants are of verify and repair.
var verifyMutants = []mutant{
	{
		name: "verify-on-its-way", guarantee: "verify: a row that is on its way is not different",
		file: "inbox/verifysettle.go",
		old:  `if c.still = was.still + 1; c.still >= stillFor {`,
		new:  `if c.still = was.still + 1; c.still >= 1 {`,
		pkg:  "./inbox", test: "TestJudge",
	},
	{
		name: "verify-equal-in-part", guarantee: "verify: a replica is equal only if all of it was compared",
		file: "inbox/verify.go",
		old:  ` && !r.Partly && r.Moving == 0 && r.Unjudged == 0`,
		new:  ` && !r.Partly`,
		pkg:  "./inbox", test: "TestEqualIsAllOfIt",
	},
	{
		name: "verify-other-writers", guarantee: "verify: a row that somebody else writes all the time differs",
		file: "inbox/verifysettle.go",
		old:  `c.stamp == was.stamp && (!c.stamp.none() || c.replica.same(was.replica))`,
		new:  `c.stamp == was.stamp && c.replica.same(was.replica)`,
		pkg:  "./inbox", test: "TestJudge",
	},
	{
		name: "verify-wrong-form", guarantee: "verify: values are compared as the column stores them",
		file: "internal/digest/form.go",
		old:  `at.UTC().Format("2006-01-02T15:04:05.999999999")`,
		new:  `at.Format("2006-01-02T15:04:05.999999999")`,
		pkg:  "./internal/digest", test: "TestForms",
	},
	{
		name: "digest-of-hidden-fields", guarantee: "verify: a digest tells nothing that the lane would not",
		file: "hub/internal/match/sight.go",
		old:  `		return Nothing`,
		new:  `		return Whole`,
		pkg:  "./hub", test: "TestDigestIsOfWhatTheServiceGets",
	},
	{
		name: "digest-below-a-member", guarantee: "verify: a digest of what is below a member is made of what the lane has of it",
		file: "hub/internal/match/sight.go",
		old:  `	return Partly`,
		new:  `	return Whole`,
		pkg:  "./hub/internal/match", test: "TestNarrowIsAsTheProjection",
	},
	{
		name: "digest-tells-the-place", guarantee: "verify: a digest does not tell the key of a row that the service does not get",
		file: "hub/internal/lane/digest.go",
		old:  `made.After, err = d.Places.seal(to, d.whose())`,
		new:  `made.After = to.read`,
		pkg:  "./hub", test: "TestDigestObeysThePolicy",
	},
	{
		name: "digest-of-what-blocks", guarantee: "verify: a digest tells nothing of what stands where an object should be",
		file: "internal/digest/row.go",
		old:  `			values[n] = Nowhere`,
		new:  `			values[n] = Nowhere + c.all[n].Path`,
		pkg:  "./internal/digest", test: "TestColumnsThatLeadNowhere",
	},
	{
		name: "repair-without-order", guarantee: "repair: a delete never wins over a row that the owner makes meanwhile",
		file: "hub/internal/lane/ownerkeys.go",
		old:  `	return o.rowsOf(at, from, origin, keys, found)`,
		new:  `	at, err = watermark(ctx, o.ingest); if err != nil { return nil, err }; return o.rowsOf(at, from, origin, keys, found)`,
		pkg:  "./hub", test: "TestBackfillOfKeys",
	},
	{
		name: "repair-not-over-a-delete", guarantee: "repair: a row that was written by hand after its delete goes",
		file: "inbox/statements.go",
		old:  `" AND (excluded.deleted OR NOT r.deleted))"`,
		new:  `" AND NOT r.deleted)"`,
		pkg:  "./inbox", test: "TestRowOfASnapshotRepairs",
	},
	{
		name: "lookup-leaves-keys-out", guarantee: "repair: a key counts as absent only if the owner has looked it up",
		file: "snapshot_lookup.go",
		old:  `			return d.send(false) // the next request begins with these keys`,
		new:  `			return d.send(true)`,
		pkg:  ".", test: "TestLookupOfSomeKeys",
	},
	{
		name: "lookup-skips-rows", guarantee: "verify: rows that do not fit an answer are asked for again",
		file: "hub/internal/lane/digest.go",
		old:  `		to.looked = from.looked + made.Looked`,
		new:  `		to.looked = from.looked + len(query.Keys)`,
		pkg:  "./hub", test: "TestKeysAreLookedUp",
	},
}
