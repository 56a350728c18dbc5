package main

// boundsMutants are the mechanisms that bound replies and state records.
var boundsMutants = []mutant{
	{
		name: "reply-of-any-size", guarantee: "a reply that does not fit is an error, never silence",
		file: "hub/internal/control/server.go",
		old:  `			err = reply.Fits(data, c.cfg.Conn.MaxPayload())`,
		new:  `			_ = reply.Fits`,
		pkg:  "./hub/internal/control", test: "TestReplyThatDoesNotFitIsRefused",
	},
	{
		name: "page-of-any-size", guarantee: "a page ends by bytes",
		file: "hub/internal/reply/page.go",
		old:  `			if used+size > p.Room && len(items) > 0 {`,
		new:  `			if used+size > p.Room && len(items) > 1000 {`,
		pkg:  "./hub/internal/reply", test: "TestPagesAreTheWholeList",
	},
	{
		name: "redrive-starts-over", guarantee: "letters that stay do not stop those behind them",
		file: "hub/internal/control/redrive.go",
		old:  `r.core = redrive.All(req.After, limits)`,
		new:  `r.core = redrive.All(0, limits)`,
		pkg:  "./hub", test: "TestRedriveTellsWhatStaysInPages",
	},
	{
		name: "record-of-any-size", guarantee: "a state record fits max_payload",
		file: "hub/internal/registration/edit.go",
		old:  `	s, err = s.Bounded(tip.State, r.cfg.Conn.MaxPayload())`,
		new:  `	err = nil`,
		pkg:  "./hub", test: "TestRegistrationThatDoesNotFitARecord",
	},
	{
		name: "record-without-room", guarantee: "an accepted record can always be written again",
		file: "hub/internal/lane/record/size.go",
		old:  `	most := int(maxPayload) - s.growth(maxPayload)`,
		new:  `	most := int(maxPayload)`,
		pkg:  "./hub/internal/lane/record", test: "TestAcceptedStateFitsWhateverComes",
		noSim: "state records stay far below the payload limit here",
	},
	{
		name: "compile-all", guarantee: "only what changed is compiled",
		file: "hub/internal/lane/compiled.go",
		old:  `have.from.Equal(in.Definition) && have.from.Policy`,
		new:  `!have.from.Equal(in.Definition) && have.from.Policy`,
		pkg:  "./hub/internal/lane", test: "TestOnlyWhatChangedIsCompiled",
	},
	{
		name: "snapshot-at-each-change", guarantee: "bounds: copying the registry takes a part of the time, however large it is",
		file: "internal/tree/mirror/pace.go",
		old:  `(paceShare-1)*now.Sub(began)`,
		new:  `0*now.Sub(began)`,
		pkg:  "./internal/tree/mirror", test: "TestPace",
	},
}
