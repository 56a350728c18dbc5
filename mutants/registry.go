package main

// registryMutants are about a registry that is away, wiped or old.
var registryMutants = []mutant{
	{
		name: "ended-comes-back", guarantee: "5: an ended interest does not come back",
		file: "hub/internal/lane/record/state.go",
		old:  `return slices.Contains(s.Ended, id) }`,
		new:  `return slices.Contains(s.Ended, "never"+id) }`,
		pkg:  "./hub/internal/reconcile/agree", test: "TestTheLaneDecidesOnARecord",
	},
	{
		name: "request-not-claimed", guarantee: "5: a record made by hand registers once",
		file: "hub/internal/reconcile/agree/interest.go",
		old:  `		if !stored {`,
		new:  `		if false {`,
		pkg:  "./hub/internal/reconcile/agree", test: "TestScripts",
	},
	{
		name: "request-claimed-twice", guarantee: "5: a record made by hand registers once, though several hubs see it",
		file: "hub/internal/reconcile/agree/interest.go",
		old:  `Value: registry.Encode(claimed), Expect: r.Version,`,
		new:  `Value: registry.Encode(claimed), Expect: -1,`,
		pkg:  "./hub/internal/reconcile/agree", test: "TestScripts",
	},
	{
		name: "unknown-is-registered", guarantee: "5: an interest that was ended with its lane does not come back",
		file: "hub/internal/reconcile/agree/interest.go",
		old:  `		return Unknown{}`,
		new:  `		return register(r, r.Found.ID)`,
		pkg:  "./hub", test: "TestRecordOfAnotherLanesTime",
	},
	{
		name: "vanished-unregisters", guarantee: "5: nothing vanished unregisters anything",
		file: "hub/internal/reconcile/agree/missing.go",
		old:  `		if _, there := entries[w.Path]; !there {`,
		new:  `		if _, there := entries[w.Path]; !there && w.Path == "" {`,
		pkg:  "./hub/internal/reconcile/agree", test: "TestScripts",
	},
	{
		name: "older-definition-agrees", guarantee: "5: the lane decides on a record that differs",
		file: "hub/internal/record/record.go",
		old:  `	return r.ID == in.ID && r.Rev == in.Rev`,
		new:  `	return r.ID == in.ID`,
		pkg:  "./hub/internal/reconcile/agree", test: "TestTheLaneDecidesOnARecord",
	},
	{
		name: "old-record-stays", guarantee: "5: a record that differs is corrected to what is in force",
		file: "hub/internal/reconcile/agree/interest.go",
		old:  `		return Correct{Value: registry.Encode(registry.Of(*l.State.Find(r.Entity))), Expect: r.Version}`,
		new:  `		return Done{}`,
		pkg:  "./hub/internal/reconcile/agree", test: "TestScripts",
	},
	{
		name: "late-write-wins", guarantee: "5: a late write does not take the place of a record that somebody made since",
		file: "hub/internal/record/written.go",
		old:  `	return tree.Absent`,
		new:  `	return tree.Any`,
		pkg:  "./hub/internal/record", test: "TestVersionsOfRecords",
	},
	{
		name: "request-overwritten", guarantee: "5: a registration leaves a request that was made by hand",
		file: "hub/internal/record/written.go",
		old:  ` || r.Requests() && r.ID != in.ID && (r.ID == "" || r.ID != answered)) {`,
		new:  `) {`,
		pkg:  "./hub/internal/record", test: "TestWrittenThrough",
		noSim: rare, // the hub stands still between its append and its write
	},
	{
		name: "claimed-request-overwritten", guarantee: "5: a late write leaves a request that another hub registers now",
		file: "hub/internal/record/written.go",
		old:  ` || r.Requests() && r.ID != in.ID && (r.ID == "" || r.ID != answered)) {`,
		new:  ` || r.ID == "") {`,
		pkg:  "./hub/internal/record", test: "TestWrittenThrough",
	},
	{
		name: "answered-request-stays", guarantee: "5: the record of a request is replaced by the interest that is in force already",
		file: "hub/internal/record/written.go",
		old:  ` && (r.ID == "" || r.ID != answered)) {`,
		new:  `) {`,
		pkg:  "./hub/internal/record", test: "TestWrittenThrough",
	},
	{
		name: "leftover-lane-awaited", guarantee: "9: a dropped lane whose messages the server kept is deleted again",
		file: "hub/internal/registration/drop.go",
		old:  `	return err == nil && s.Written.Before(stream.CachedInfo().Created)`,
		new:  `	return err != nil && s.Written.Before(stream.CachedInfo().Created)`,
		pkg:  "./hub", test: "TestDroppedLaneThatTheServerKeeps",
	},
	{
		name: "write-by-a-later-version", guarantee: "5: a write replaces the record by which it was decided, and none that somebody made since",
		file: "hub/internal/record/written.go",
		old:  "writes = append(writes, Written{path, Encode(Of(in)), known.Known(entries, path)})",
		new:  "writes = append(writes, Written{path, Encode(Of(in)), tree.Any})",
		pkg:  "./hub/internal/record", test: "TestWrittenThrough",
	},
}
