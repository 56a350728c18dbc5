package main

// policyMutants take out what holds an owner's policy.
var policyMutants = []mutant{
	{
		name: "policy-filter-view", guarantee: "the filters of a service see what its policy allows, and no more",
		file: "hub/internal/match/limit.go", old: "seen = e.WithData(data)", new: "_ = data",
		pkg: "./hub/internal/match", test: "TestLimit",
	},
	{
		name: "policy-delete-payload", guarantee: "a delete that the policy's filter does not pass comes without payload",
		file: "hub/internal/match/limit.go", old: "return Decision{Kind: Copy, Subject: t.subject(w, e), Bare: true, Interest: i}", new: "return t.project(w, e)",
		pkg: "./hub/internal/match", test: "TestLimit",
	},
	{
		name: "policy-form", guarantee: "a hub that knows no policies does not touch a lane under one",
		file: "hub/internal/lane/record/state.go", old: "s.Form = policyForm", new: "_ = policyForm",
		pkg: "./hub/internal/lane/record", test: "TestRecordWithAPolicy", noSim: "the hubs of a run are of one version",
	},
	{
		name: "policy-newer-only", guarantee: "an older policy replaces no newer one in a lane",
		file: "hub/internal/lane/record/policy.go", old: "in.Policy != nil && in.Policy.Rev >= rev || ", new: "",
		pkg: "./hub/internal/policy", test: "TestOrdersAreLaid", noSim: "the lane is held then, until its policy is in force again",
	},
	{
		name: "policy-vanished", guarantee: "a policy that vanished from the registry opens nothing",
		file: "hub/internal/policy/known.go", old: "case newest > 0:\n\t\treturn missing", new: "case newest > 0:\n\t\treturn none",
		pkg: "./hub/internal/policy", test: "TestOnlyANewerPolicyWidens",
	},
	{
		name: "policy-under-way", guarantee: "a policy waits for the registrations that may not know of it",
		file: "hub/internal/policy/set.go", old: "left, over, err := under.Over(ctx, longest, patience)", new: "left, over, err := []subjects.Name(nil), true, error(nil)\n\t_ = under",
		pkg: "./hub", test: "TestPolicyAndARegistrationUnderWay",
	},
	{
		name: "policy-older-lane", guarantee: "a lane that began with an older copy gets no copies until its policy is in force",
		file: "hub/internal/lane/record/policy.go", old: "have); rev > 0 {", new: "have); false {",
		pkg: "./hub/internal/lane", test: "TestLaneLacksAPolicy",
	},
	{
		name: "policy-held", guarantee: "a lane that is held copies nothing, and takes no letters",
		file: "hub/internal/lane/core/lane.go", old: "case w.Held && w.Owned:", new: "case false && w.Held:",
		pkg: "./hub/internal/lane/core", test: "TestScripts", noSim: rare,
	},
	{
		name: "policy-pinned-again", guarantee: "a policy waits for a registration that pins ingest again",
		file: "hub/internal/ingest/retention/policy.go", old: "if _, ok := l.Pins[id]; ok {", new: "if now, ok := l.Pins[id]; ok && now.Until.Equal(pins[id].Until) {",
		pkg: "./hub/internal/ingest/retention", test: "TestRegistrationsUnderWay", noSim: rare,
	},
	{
		name: "policy-stored-late", guarantee: "an older policy takes no newer one's place in the registry",
		file: "hub/internal/policy/set.go", old: "if marks[entity].Rev > rev || now.Is", new: "if _ = marks; false && now.Is",
		pkg: "./hub", test: "TestOlderPolicyIsNotStored",
	},
	{
		name: "policy-letters", guarantee: "a dead letter comes back as the present policy allows",
		file: "hub/internal/control/redrive.go", old: "letter.Op, header, d.Data, times), \"\", nil\n\t}", new: "letter.Op, header, letter.Data, times), \"\", nil\n\t}",
		pkg: "./hub", test: "TestPolicyOfLetters",
	},
	{
		name: "detached-notice-believed", guarantee: "a forged notice of a detachment ends no instance",
		file: "serve.go", old: "func(*nats.Msg) { d.notice() })", new: "func(*nats.Msg) { stop(ErrDetached) })",
		pkg: ".", test: "TestForgedNoticeEndsNothing",
	},
}
