package asyncapi

import "github.com/replhub/replhub/internal/contract"

// None is the request of a verb that takes nothing.
type None struct{}

// Verb is one control verb.
type Verb struct {
	Name string
	// Of is what the subject names behind the verb: "service", "entity" or nothing.
	Of string
	// Request and Reply are pointers to zero values of their types.
	Request, Reply any
	// Summary says in a sentence what the verb does.
	Summary string
	// Example is a request.
	Example string
}

// Subject is the verb's subject for a service or an entity.
func (v Verb) Subject(of string) string {
	if v.Of == "" {
		return "replhub." + v.Name
	}
	return "replhub." + v.Name + "." + of
}

const (
	ofService = "service"
	ofEntity  = "entity"
)

// Verbs are all control verbs, in the order in which a reader wants them.
func Verbs() []Verb {
	return append(verbsOfServices(), verbsOfHubs()...)
}

func verbsOfServices() []Verb {
	return []Verb{
		{
			contract.VerbRegister, ofService, new(contract.Register), new(contract.Registered), "Puts interests in force. Idempotent.",
			`{"interests":[{"entity":"user","ops":["create","update","delete"],"filter":"has(data.tenant) && data.tenant == 'acme'","fields":["id","name","address.city"],"start":"all"}],"queue":{"order":"key","partitions":2,"ack_wait":"30s","max_deliver":10},"max_bytes":1073741824}`,
		},
		{contract.VerbUnregister, ofService, new(contract.Unregister), new(contract.Unregistered), "Ends interests. The lane stays, with its copies.", `{"entities":["user"]}`},
		{contract.VerbDescribe, ofService, new(contract.Describe), new(contract.LaneStatus), "Shows a lane, with a page of its interests.", `{"after":"tenant","limit":100}`},
		{contract.VerbExplain, ofService, new(contract.Explain), new(contract.Explained), "Says why a service did or did not get an event.", `{"seq":1,"epoch":1}`},
		{contract.VerbPause, ofService, new(contract.Pause), new(contract.Paused), "Stops the workers for a time. The hub continues to copy.", `{"for":"1h0m0s"}`},
		{contract.VerbResume, ofService, new(None), new(contract.Paused), "Starts the workers again.", `{}`},
		{contract.VerbRewind, ofService, new(contract.Rewind), new(contract.Rewound), "Starts the workers again from a time, an age or a sequence of ingest.", `{"to":"5m","dry_run":true}`},
		{contract.VerbBackfill, ofService, new(contract.Backfill), new(contract.Backfilling), "Copies the owner's rows once more.", `{"entity":"user","keys":["42"]}`},
		{
			contract.VerbDigest, ofService, new(contract.Digest), new(contract.Digested), "Answers with digests of the owner's rows, as the service gets them.",
			`{"entity":"user","columns":[{"path":"name","form":"text"}],"buckets":16}`,
		},
		{contract.VerbRedrive, ofService, new(contract.Redrive), new(contract.Redriven), "Puts dead letters back into the lane.", `{"all":true}`},
		{contract.VerbLetter, ofService, new(contract.Letter), new(contract.LetterAdmitted), "Asks whether an instance may store a dead letter itself.", `{"bytes":1234}`},
		{contract.VerbJoin, ofService, new(contract.Join), new(contract.Joined), "Shares partitions out over a service's instances, which send it about once a second.", `{"instance":"sharing-1","holding":[0],"generation":1}`},
		{contract.VerbDrop, ofService, new(contract.Drop), new(contract.Dropped), "Deletes a lane without interests, and the service's dead letters.", `{}`},
	}
}

func verbsOfHubs() []Verb {
	return []Verb{
		{
			contract.VerbPolicy, ofEntity, new(contract.SetPolicy), new(contract.PolicySet), "States, clears or shows the policy of an entity.",
			`{"allow":{"sharing":{"ops":["create","update"],"filter":"data.public","fields":["id","name"]},"audit":{}}}`,
		},
		{contract.VerbPolicies, "", new(contract.ListPolicies), new(contract.Policies), "Shows one policy, or a page of all.", `{"limit":100}`},
		{contract.VerbServices, "", new(contract.ListServices), new(contract.Services), "Shows a page of all lanes.", `{"after":"audit","limit":500}`},
		{contract.VerbWho, "", new(contract.Who), new(contract.Interested), "Shows a page of the services that are interested in an entity.", `{"entity":"user"}`},
		{contract.VerbErase, "", new(contract.Erase), new(contract.Erased), "Removes what the streams hold of a key, in pages.", `{"entity":"user","key":"42","dry_run":true}`},
		{contract.VerbStatus, "", new(None), new(contract.Status), "Shows the hub that answers.", `{}`},
	}
}
