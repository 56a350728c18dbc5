package main

// brokenMutants are the mechanisms that mend what somebody breaks by hand.
var brokenMutants = []mutant{
	{
		name: "dropped-queue-kept", guarantee: "5: a later service of the name starts without the dropped one's queue",
		file: "hub/internal/record/book.go",
		old:  `newer || b.LeftBehind(service, entry.Value) {`,
		new:  `newer {`,
		pkg:  "./hub", test: "TestDropWhileTheRegistryIsAway",
		noSim: noRegistry,
	},
	{
		name: "dropped-ids-forgotten", guarantee: "5: a drop removes the service's records once the registry is back",
		file: "hub/internal/registration/drop.go",
		old:  `	r.cfg.Book.Dropped(state)`,
		new:  `	_ = state`,
		pkg:  "./hub", test: "TestDropWhileTheRegistryIsAway",
	},
	{
		name: "ledger-forgotten", guarantee: "9: a ledger that is deleted comes back with its pins",
		file: "hub/internal/ingest/retention/recall.go",
		old:  `	l := r.Known.clone()`,
		new:  "	l := r.Known.clone()\n	l.Pins = nil",
		pkg:  "./hub/internal/ingest/retention", test: "TestScripts",
		noSim: "a lost ledger has every lane fenced before the next trim, which needs no pins",
	},
	{
		name: "kept-not-created", guarantee: "9: shared streams come back",
		file: "hub/internal/hubstream/kept.go",
		old: `	if errors.Is(err, jetstream.ErrStreamNotFound) {
		s, err = k.create(ctx)`,
		new: `	if errors.Is(err, jetstream.ErrStreamNotFound) && k.cfg.Restore != nil {
		s, err = k.create(ctx)`,
		pkg: "./hub", test: "TestSharedStreamsComeBack",
	},
	{
		name: "lanes-epochs-ignored", guarantee: "9: epochs go on behind those that the lanes know",
		file: "hub/internal/lanes/tail.go",
		old:  `	if err := g.KnowEpoch(ctx, epoch); err != nil {`,
		new:  `	if err := g.KnowEpoch(ctx, min(epoch, 0)); err != nil {`,
		pkg:  "./hub", test: "TestLedgerDeletedWhileNoHubRuns",
	},
	{
		name: "no-unknown-holder", guarantee: "9: a lost roster leaves partitions with their holders",
		file: "hub/internal/partition/lost.go",
		old:  `		r.Holders[p] = unknownHolder`,
		new:  `		r.Holders[p] = ""`,
		pkg:  "./hub/internal/partition", test: "TestLostRosterGivesNoPartitionAway",
	},
	{
		name: "rewind-not-recorded", guarantee: "9: a rewind that was cut short ends at its target",
		file: "hub/internal/lane/rewound.go",
		old: `		s.Rewound = plan
		return s, true, nil`,
		new: `		unrecorded := *plan
		s.Rewound = &unrecorded
		s.Rewound.Done, s.Rewound.From = true, 1
		return s, true, nil`,
		pkg: "./hub", test: "TestRewindCutShortEndsAtItsTarget",
	},
	{
		name: "settled-by-another-rewind", guarantee: "9: a consumer comes back behind what is proven at most",
		file: "hub/internal/lane/rewound.go",
		old:  `		if known.Generation == generation(s, stream) && known.UpTo+1 > max(from, 1) {`,
		new:  `		if known.UpTo+1 > max(from, 1) {`,
		pkg:  "./hub/internal/lane", test: "TestSettledOfAnotherRewindProvesNothing",
	},
	{
		name: "missing-consumer-unseen", guarantee: "9: a consumer deleted by hand comes back",
		file: "hub/internal/consumers/watch.go",
		old: `	case len(missing) == 0:
		w.whole(ctx, l)`,
		new: `	case len(missing) >= 0:
		w.whole(ctx, l)`,
		pkg: "./hub", test: "TestConsumerComesBackBehindWhatIsProven",
	},
	{
		name: "gone-stream-not-degraded", guarantee: "9: a registered service without a stream is degraded",
		file: "hub/internal/reconcile/streamless.go",
		old:  `	r.cfg.Lacking.Set(service, lanes.Stream, fmt`,
		new:  `	(&lanes.Lacking{}).Set(service, lanes.Stream, fmt`,
		pkg:  "./hub", test: "TestStreamDeletedUnderARegistrationIsDegraded",
	},
	{
		name: "purged-state-without-limit", guarantee: "9: the state after a purge has what was asked for",
		file: "hub/internal/lane/core/view.go",
		old:  `	l.view.tip = record.Tip{State: s, Last: l.view.tip.Last}`,
		new:  "	s.MaxBytes = 0\n	l.view.tip = record.Tip{State: s, Last: l.view.tip.Last}",
		pkg:  "./hub/internal/lane/core", test: "TestScripts",
		noSim: "lanes are not purged by hand here",
	},
	{
		name: "no-quota", guarantee: "4: one service's dead letters stall it alone",
		file: "hub/internal/deadletter/quota.go",
		old:  `	t.admitted += uint64(max(size, 0))`,
		new:  `	t.admitted += uint64(max(size, 0) / 100)`,
		pkg:  "./hub", test: "TestLettersOfInstancesKeepToTheQuota",
	},
	{
		name: "quota-blocks-capture", guarantee: "4: advisories over the quota keep nobody else's back",
		file: "hub/internal/deadletter/capture.go",
		old: `			_ = msg.NakWithDelay(quotaRetry)
			continue`,
		new: `			_ = msg.NakWithDelay(quotaRetry)
			_ = retry.Sleep(ctx, captureRetry)
			continue`,
		pkg: "./hub", test: "TestAdvisoriesOverTheQuotaKeepNobodyElsesBack",
	},
	{
		name: "letters-put-again", guarantee: "8: a letter that was removed is not stored again",
		file: "hub/internal/lane/core/work.go",
		old:  `	if c.journal.unrecorded > 0 {`,
		new:  `	if c.journal.unrecorded < 0 {`,
		pkg:  "./hub/internal/lane/core", test: "TestScripts",
		noSim: noLetters,
	},
	{
		name: "drop-leaves-letters", guarantee: "9: a later service of the name sees no letter of the one before",
		file: "hub/internal/registration/drop.go",
		old: `	if err := r.cfg.DeadLetters.Purge(ctx, service); err != nil {
		return err
	}`,
		new: ``,
		pkg: "./hub", test: "TestDropRemovesLettersAndRoster",
	},
}
