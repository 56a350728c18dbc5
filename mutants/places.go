package main

// placesMutants take out what keeps installations of one account apart, and what the
// ways over a leafnode need.
var placesMutants = []mutant{
	{
		name: "other-end-of-a-leafnode", guarantee: "2: no hub works beside another installation's streams",
		file: "hub/internal/place/judge.go",
		old:  "if len(f.Takers) > own {",
		new:  "if false && len(f.Takers) > own {",
		pkg:  "./hub", test: "TestHubAtTheOtherEndOfALeafnodeIsRefused",
	},
	{
		name: "copy-of-an-installation", guarantee: "2: a copied installation is another one",
		file: "hub/internal/place/judge.go",
		old:  "other := hub.Domain != here.Domain || ",
		new:  "other := ",
		pkg:  "./hub/internal/place", test: "TestJudge",
	},
	{
		name: "alone-for-ever", guarantee: "2: a start after another installation was found copies nothing before it has asked",
		file: "hub/places.go",
		old:  "h.ingest.SetAlone(ctx, h.domain, false); unknown",
		new:  "error(nil); unknown",
		pkg:  "./hub", test: "TestRestartWaitsOnlyBesideAnotherInstallation",
	},
	{
		name: "restart-waits", guarantee: "speed: a restart copies at once",
		file: "hub/places.go",
		old:  "err != nil || last.Alone {",
		new:  "err != nil || last.Alone && h == nil {",
		pkg:  "./hub", test: "TestRestartWaitsOnlyBesideAnotherInstallation",
	},
	{
		name: "installation-forgotten", guarantee: "2: an installation keeps its id",
		file: "hub/internal/ingest/retention/installation.go",
		old:  "l.Installation = known.Installation",
		new:  "_ = known.Installation",
		pkg:  "./hub", test: "TestInstallationKeepsItsID",
		noSim: "one installation runs here",
	},
	{
		name: "bucket-of-another-domain", guarantee: "5: the registry is written in the hub's domain",
		file: "kvmap/bucket.go",
		old:  `case o.Domain != "":`,
		new:  `case false && o.Domain != "":`,
		pkg:  "./hub", test: "TestHubAtTheLeafWorksInTheDomainOfTheHub",
	},
	{
		name: "nkey-of-a-command", guarantee: "credentials are read at each attempt, by commands too",
		file: "internal/reconnect/files.go",
		old:  "nc.Opts.Nkey = o.Nkey",
		new:  "_ = o.Nkey",
		pkg:  "./cmd/replhub", test: "TestConnectionOutlivesARotatedNkey",
	},
	{
		name: "bytes-unstated", guarantee: "accounts: streams state bytes where the account demands them",
		file: "hub/internal/hubstream/stream.go",
		old:  "if demandsBytes(err) && cfg.MaxBytes <= 0 {",
		new:  "if false && demandsBytes(err) {",
		pkg:  "./hub", test: "TestAccountThatDemandsBytes",
	},
	{
		name: "limit-unnamed", guarantee: "accounts: a registration beyond a limit says what to raise",
		file: "hub/internal/hubstream/limit.go",
		old:  `		codeMaxStreams:       "raise`,
		new:  `		0: "raise`,
		pkg:  "./hub", test: "TestRegistrationBeyondALimit",
	},
	{
		name: "older-server-later", guarantee: "versions: a hub does not go on at a server that is too old",
		file: "hub/server.go",
		old:  `if version := h.nc.ConnectedServerVersion(); version != "" {`,
		new:  `if version := h.nc.ConnectedServerVersion(); false && version != "" {`,
		pkg:  "./hub", test: "TestReconnectToAnOldServer",
	},
	{
		name: "edge-is-cut-off", guarantee: "1: ingest keeps the sources that operators add",
		file: "hub/internal/hubstream/stream.go",
		old:  "cfg.Sources = have.Sources",
		new:  "_ = have.Sources",
		pkg:  "./hub", test: "TestEdgeIsSourcedIntoIngest",
	},
}
