package main

// fleetMutants take out what replicas, servers and hubs of several machines need.
var fleetMutants = []mutant{
	{
		name: "stuck-consumer-stays", guarantee: "9: a consumer by which the server delivers nothing is created again",
		file: "hub/internal/consumers/stand.go",
		old:  "	if found == lost {\n		w.replaceStuck(ctx, l, info)\n	}\n",
		new:  "",
		pkg:  "./hub", test: "TestStuckConsumerIsCreatedAgain",
	},
	{
		name: "requests-of-a-stopping-hub-lost", guarantee: "6: a request that arrives while a hub stops is answered",
		file: "hub/internal/control/server.go",
		old:  "	_ = barrier.Wait(c.cfg.Conn, settleTime)\n	c.mu.Lock()",
		new:  "	_ = barrier.Wait\n	c.mu.Lock()",
		pkg:  "./hub", test: "TestRequestsWhileAHubStops",
	},
	{
		name: "foreign-consumer-stays", guarantee: "9: a consumer of another rewind or lane is created again",
		file: "hub/internal/consumers/stand.go",
		old:  "	if w.foreign(ctx, l, stream, one, info) {\n		return\n	}\n",
		new:  "",
		pkg:  "./hub", test: "TestConsumerOfAnotherRewind",
	},
	{
		name: "resumed-forgotten", guarantee: "9: what was acknowledged does not come again when a hub dies while it replaces a consumer",
		file: "hub/internal/lane/rewound.go",
		old:  "max(s.StartOf(cfg.Durable), s.ResumedFrom(cfg.Durable, generation(s, stream)))",
		new:  "s.StartOf(cfg.Durable)",
		pkg:  "./hub", test: "TestHubDiesWhileItReplacesAConsumer",
	},
	{
		name: "stuck-in-the-gap", guarantee: "9: a consumer without a request in between is not stuck",
		file: "hub/internal/consumers/stuck.go",
		old:  "case !same || !now.able || at.Sub(seen) > after:",
		new:  "case !same || !now.able || at.Sub(seen) > 9*after:",
		pkg:  "./hub/internal/consumers", test: "TestStuck",
	},
	{
		name: "old-server-of-a-cluster", guarantee: "versions: the oldest server of a cluster counts",
		file: "hub/versions.go",
		old:  "		if v.Before(servers.OldestMinor) {\n			return false, servers.RefuseOld(text)",
		new:  "		if false && v.Before(servers.OldestMinor) {\n			return false, servers.RefuseOld(text)",
		pkg:  "./hub", test: "TestClusterWithAnOldServer",
	},
	{
		name: "layout-in-one-step", guarantee: "2: streams follow the place and the replicas of ingest",
		file: "hub/layout.go",
		old:  "	case l.placement != nil && !samePlacement(cfg.Placement, l.placement):\n		cfg.Placement = l.placement\n		return cfg, true\n",
		new:  "",
		pkg:  "./hub", test: "TestLayoutNext",
	},
}
