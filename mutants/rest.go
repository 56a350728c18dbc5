package main

// restMutants take out what shares lanes out evenly, and what tells an operator of trouble
// with policies, secrets and erasures.
var restMutants = []mutant{
	{
		name: "shares-by-chance", guarantee: "6: each hub has its share of the lanes",
		file: "hub/internal/ownership/share.go",
		old:  "case owner[p.lane] > 0 || n >= high:",
		new:  "case owner[p.lane] > 0 || n >= 2*high:",
		pkg:  "./hub/internal/ownership", test: "TestSharesAreWithinATenth",
	},
	{
		name: "loan-before-its-borrower", guarantee: "6: every lane has an owner",
		file: "hub/internal/ownership/lend.go",
		old:  "if p := h.peers[id]; p == nil || p.accepted[service] != to {",
		new:  "if p := h.peers[id]; p == nil {",
		pkg:  "./hub/internal/ownership", test: "TestFrozenHubIsNoMember",
	},
	{
		name: "borrower-by-its-own-view", guarantee: "6: every lane has an owner",
		file: "hub/internal/ownership/lend.go",
		old:  "if known || to == h.cfg.ID {",
		new:  "if known {",
		pkg:  "./hub/internal/ownership", test: "TestEveryLaneHasAnOwner",
	},
	{
		name: "loans-beside-an-older-hub", guarantee: "6: hubs of two versions agree about the owners",
		file: "hub/internal/ownership/hubs.go",
		old:  "return h.peers[id] != nil && h.peers[id].older",
		new:  "return false",
		pkg:  "./hub/internal/ownership", test: "TestNobodyLendsBesideAnOlderHub",
	},
	{
		name: "frozen-hub-owns", guarantee: "6: a frozen hub's lanes do not wait",
		file: "hub/internal/ownership/hubs.go",
		old:  "now.Sub(p.silentSince) < h.silence)",
		new:  "now.Sub(p.silentSince) < time.Hour)",
		pkg:  "./hub/internal/ownership", test: "TestFrozenHubIsNoMember",
	},
	{
		name: "hubs-not-compared", guarantee: "policies: hubs with different settings say so",
		file: "hub/internal/policy/look.go",
		old:  "if id != k.cfg.Hubs.ID() && policy != mine {",
		new:  "if id == \"\" {",
		pkg:  "./hub", test: "TestHubsWithDifferentPolicySettings",
	},
	{
		name: "policy-not-confirmed", guarantee: "policies: a policy that holds everywhere is noted in the ledger",
		file: "hub/internal/policy/look.go",
		old:  "		k.confirm(ctx, entity, one)\n",
		new:  "",
		pkg:  "./hub", test: "TestPolicyIsConfirmed",
	},
	{
		name: "apart-delete-with-payload", guarantee: "policies: a delete without an allowed field has no payload",
		file: "hub/internal/match/limit.go",
		old:  "	if i.limit.apart {\n		// A delete",
		new:  "	if false {\n		// A delete",
		pkg:  "./hub/internal/match", test: "TestLimit",
	},
}
