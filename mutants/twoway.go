package main

// twowayMutants are the mechanisms of services that write what they replicate, and
// of transactions that are the caller's.
var twowayMutants = []mutant{
	{
		name: "twoway-row-of-current", guarantee: "7: a batch applies to a key that Current has locked before",
		file: "inbox/replicatebatch.go",
		old:  `		stamp, s.known = current[s.rowKey]`,
		new:  `		stamp, s.known = current[s.rowKey], !current[s.rowKey].none()`,
		pkg:  "./inbox", test: "TestBatchBehindCurrent",
	},
	{
		name: "twoway-gave-up-commits", guarantee: "7: a transaction that the database gave up cannot be committed",
		file: "inbox/inbox.go",
		old:  `	return database.Abandon(tx, err)`,
		new:  `	return err`,
		pkg:  "./inbox", test: "TestAppliedSinceTheSnapshot",
	},
}
