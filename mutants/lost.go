package main

// lostMutants are the mechanisms without which acknowledged events were lost, or
// healthy lanes cut off, though nothing had failed.
var lostMutants = []mutant{
	{
		name: "floor-by-counts", guarantee: "1: num_pending proves nothing",
		file: "hub/internal/lane/history/standing.go",
		old:  `		floors[name] = next[name].floor(asked)`,
		new:  "		if floors[name] = next[name].floor(asked); at.Pending == 0 && at.Held == 0 {\n			floors[name] = 1 << 62\n		}",
		pkg:  "./hub/internal/lane/history", test: "TestStanding",
	},
	{
		name: "standing-still-at-once", guarantee: "1: a consumer that begins says that no worker holds anything",
		file: "hub/internal/lane/history/standing.go",
		old:  ` && asked.Sub(s.since) >= StandsAfter`,
		new:  ``,
		pkg:  "./hub/internal/lane/history", test: "TestStanding",
	},
	{
		name: "standing-since-a-late-answer", guarantee: "1: an answer that comes late is not from the time when it comes",
		file: "hub/internal/lane/history/standing.go",
		old:  `next[name].floor(asked)`,
		new:  `next[name].floor(came)`,
		pkg:  "./hub/internal/lane/history", test: "TestStanding",
		noSim: rare, // a trim looks twice
	},
	{
		name: "floor-stays-behind", guarantee: "1: a lane goes on behind deliveries that ran out",
		file: "hub/internal/lane/history/standing.go",
		old:  `		return max(s.at.AckFloor.Stream, before, s.at.Delivered.Stream)`,
		new:  `		return s.at.AckFloor.Stream`,
		pkg:  "./hub/internal/lane/history", test: "TestStanding",
		noSim: noLetters,
	},
	{
		name: "start-is-no-floor", guarantee: "1: a lane goes on though a consumer that starts in the middle has had nothing yet",
		file: "hub/internal/lane/history/standing.go",
		old:  `	return max(s.at.AckFloor.Stream, before)`,
		new:  `	return s.at.AckFloor.Stream`,
		pkg:  "./hub/internal/lane/history", test: "TestStanding",
		noSim: "consumers begin at a lane's first copy here",
	},
	{
		name: "floors-of-the-lane-before", guarantee: "1: what a dropped lane's workers acknowledged proves nothing of the next",
		file: "hub/internal/lane/rewound.go",
		old:  `	return strconv.FormatInt(stream.Created.UnixNano(), 36) + "/"`,
		new:  "	_ = stream\n	return \"\"",
		pkg:  "./hub/internal/lane", test: "TestSettledOfAnotherRewindProvesNothing",
	},
	{
		name: "released-pin-forgotten", guarantee: "1: a pin that was released between look and floor counts",
		file: "hub/internal/ingest/retention/pin.go",
		old:  `	l.Released = append(l.Released, Release{Count: l.Pinnings, Seq: p.Seq})`,
		new:  `	_ = p`,
		pkg:  "./hub/internal/ingest/retention", test: "TestAllowed",
	},
	{
		name: "unknown-lane-skipped", guarantee: "1: ingest is trimmed only while every lane is known",
		file: "hub/internal/ingest/retention/need.go",
		old:  `		n.Unknown[service] = s.Err`,
		new:  `		_ = s.Err`,
		pkg:  "./hub/internal/ingest/retention", test: "TestScripts",
	},
	{
		name: "names-of-shifted-pages", guarantee: "1: a list of lanes is complete",
		file: "hub/internal/jsapi/names.go",
		old:  `			if len(next) == 0 || next[0] != names[offset] {`,
		new:  `			if len(next) == 0 {`,
		pkg:  "./hub/internal/jsapi", test: "TestCollectMissesNothingWhenTheListShifts",
	},
	{
		name: "detached-on-the-way", guarantee: "1: a lane that makes progress is not detached",
		file: "hub/full.go",
		old:  `	return seen.times >= stuckLooks && now.Sub(seen.since) >= stuckAfter`,
		new:  `	return true`,
		pkg:  "./hub", test: "TestOnlyALaneWithoutProgressIsDetached",
	},
	{
		name: "foreign-stream-is-a-lane", guarantee: "9: somebody else's stream is one name's trouble",
		file: "hub/internal/lane/tip.go",
		old:  `	if cfg := stream.CachedInfo().Config; !hubstream.Is(cfg) {`,
		new:  `	if cfg := stream.CachedInfo().Config; !hubstream.Is(cfg) && cfg.Name == "" {`,
		pkg:  "./hub", test: "TestForeignStreamOfALanesName",
	},
	{
		name: "guard-below-the-window", guarantee: "1: ingest is not trimmed within the dedupe window",
		file: "hub/config.go",
		old:  `	c.TrimGuard = max(cmp.Or(c.TrimGuard, 5*time.Minute), c.DedupeWindow)`,
		new:  `	c.TrimGuard = cmp.Or(c.TrimGuard, 5*time.Minute)`,
		pkg:  "./hub", test: "TestTrimGuardIsNeverBelowTheDedupeWindow",
	},
}
