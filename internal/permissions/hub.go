package permissions

import (
	"slices"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// Subjects of the hub's own that are not in the contract.
const (
	subjectDetached = "replhub._detached."
	subjectChanged  = "replhub._changed"
	subjectForward  = "replhub._to.*.*.*"
	subjectLedger   = "replhub._ledger"
	subjectMembers  = "replhub._members.*"
	// subjectRecords includes the records of captures (package captured), which a hub
	// writes again before it trims them. A wildcard cannot be a part of a name.
	subjectRecords = "db.*.update"
)

// Hub is what a hub needs. Stream names are single tokens, so a subject cannot be
// permitted for SUB_* alone: where the hub works on lanes, it may work on every
// stream of its account. Give it an account with no other streams.
func Hub(domain string) Permissions {
	p := newPermissions(InboxHub)
	p.api(domain,
		"INFO",
		"STREAM.NAMES",
		"STREAM.CREATE.*", "STREAM.UPDATE.*", "STREAM.INFO.*", "STREAM.DELETE.*", "STREAM.PURGE.*", "STREAM.SNAPSHOT.*",
		"STREAM.MSG.GET.*", "STREAM.MSG.DELETE.*",
		"CONSUMER.CREATE.>", "CONSUMER.NAMES.*", "CONSUMER.LIST.*", "CONSUMER.INFO.*.*", "CONSUMER.DELETE.*.*", "CONSUMER.PAUSE.*.*",
		"CONSUMER.MSG.NEXT.*.*",
	)
	if domain != "" {
		p.api(domain, "$KV."+contract.BucketRegistry+".>") // leafnodes pass on no "$KV.>"
	}
	p.publish(acknowledgements("*")...)
	p.publish(
		"$JS.SNAPSHOT.ACK.*.*",
		"$KV."+contract.BucketRegistry+".>",
		"sub.*.>", "dlq.*.*.*",
		subjectRecords,
		subjectLedger, subjectMembers, subjectChanged, subjectForward,
		subjectDetached+"*", contract.SubjectSnapshot+"*",
	)
	for _, verb := range serviceVerbs() {
		p.subscribe(subjects.Control(verb, subjects.Name{}) + ".* " + contract.MicroName)
	}
	for _, verb := range hubVerbs() {
		p.subscribe(subjects.Control(verb, subjects.Name{}) + " " + contract.MicroName)
	}
	p.subscribe(subjectForward, subjectChanged, contract.SubjectUnavailable+"*")
	// The micro framework subscribes to these whether or not anybody may ask.
	for _, verb := range []string{"PING", "INFO", "STATS"} {
		p.subscribe("$SRV."+verb, "$SRV."+verb+"."+contract.MicroName, "$SRV."+verb+"."+contract.MicroName+".*")
	}
	p.AllowResponses = Responses{Max: 1, Expires: requestTime}
	return p
}

// serviceVerbs are the control verbs about one service or one entity.
func serviceVerbs() []string {
	verbs := append(instanceVerbs(),
		contract.VerbDrop, contract.VerbPause, contract.VerbResume, contract.VerbRewind, contract.VerbExplain,
		contract.VerbPolicy) // about one entity
	slices.Sort(verbs)
	return verbs
}

// hubVerbs are the control verbs about the hub as a whole.
func hubVerbs() []string {
	return []string{contract.VerbErase, contract.VerbPolicies, contract.VerbServices, contract.VerbStatus, contract.VerbWho}
}
