package main

// restoreMutants are about servers that begin with older copies of lanes, and about what
// proves that nothing is used again.
var restoreMutants = []mutant{
	{
		name: "end-not-confirmed", guarantee: "2: a lane appends only behind an end that it has seen a moment ago",
		file: "hub/internal/lane/core/confirm.go",
		old:  `return !l.window.isOpen() && l.view.proof.old(l.now)`,
		new:  `return false`,
		pkg:  "./hub/internal/lane/core", test: "TestScripts",
	},
	{
		name: "end-by-its-sequence", guarantee: "2: the end of a lane is the same only if the messages are",
		file: "hub/internal/lane/core/confirm.go",
		old:  ` && tip.StateSeq == p.tip.StateSeq && tip.State.Same(p.tip.State)`,
		new:  ``,
		pkg:  "./hub/internal/lane/core", test: "TestScripts",
	},
	{
		name: "reconnected-not-read", guarantee: "2: a lane is read after the connection was lost",
		file: "hub/internal/lane/core/confirm.go",
		old:  "	l.changes.disconnected()\n	l.abandon()\n	l.view.known = unread",
		new:  "	l.changes.disconnected()\n	l.abandon()",
		pkg:  "./hub/internal/lane/core", test: "TestScripts",
	},
	{
		name: "position-goes-back", guarantee: "3: the position of a lane that had copies never goes back",
		file: "hub/internal/lane/record/state.go",
		old:  `	case back && (len(s.Ended) > 0 || !s.noneReached()):`,
		new:  `	case back && !s.noneReached():`,
		pkg:  "./hub/internal/lane/record", test: "TestAdd",
	},
	{
		name: "ack-floor-never-goes-back", guarantee: "1: what was proven of copies that are lost proves nothing of the next",
		file: "hub/internal/deadletter/watch.go",
		old:  `		known.clean = min(known.clean, info.AckFloor.Stream)`,
		new:  ``,
		pkg:  "./hub/internal/deadletter", test: "TestAckFloorThatGoesBackProvesLess",
	},
	{
		name: "settled-beyond-the-end", guarantee: "1: a consumer that is created again skips no copy of a lane that lost messages",
		file: "hub/internal/lane/rewound.go",
		old:  `			known.UpTo = 0 // of messages that the stream has lost`,
		new:  `			_ = known`,
		pkg:  "./hub/internal/lane", test: "TestSettledOfAnotherRewindProvesNothing",
	},
	{
		name: "young-leader-counts", guarantee: "1: a leader that begins proves nothing of what workers hold",
		file: "hub/internal/lane/history/standing.go",
		old:  ` || at.Leading > 0 && at.Leading < leaderSettles`,
		new:  ``,
		pkg:  "./hub/internal/lane/history", test: "TestStanding",
	},
	{
		name: "every-end-is-direct", guarantee: "1: the end of a lane on another server is confirmed",
		file: "hub/internal/lane/tip.go",
		old:  ` && at.Leader == nc.ConnectedServerName()`,
		new:  ``,
		pkg:  "./hub/internal/lane", test: "TestDirect",
	},
}
