package main

// authMutants are permissions that would be too broad.
var authMutants = []mutant{
	{
		name: "auth-everybody-reads-ingest", guarantee: "a service that does not capture reads nothing of ingest",
		file: "internal/permissions/permissions.go",
		old:  "if len(r.Records) > 0 {",
		new:  "if true {",
		pkg:  "./internal/permissions", test: "TestServiceMayDoWhatIsItsOwn",
	},
	{
		name: "auth-slot-is-a-pattern", guarantee: "a capture writes no other capture's records",
		file: "cmd/replhub/auth.go",
		old:  "case !captured.ValidSlot(slot):",
		new:  "case false:",
		pkg:  "./cmd/replhub", test: "TestAuth",
	},
	{
		name: "acks-of-all-streams", guarantee: "security: no service settles another's copies",
		file: "internal/permissions/permissions.go",
		old:  `"$JS.ACK." + stream + ".*.*.*.*.*.*",`,
		new:  `"$JS.ACK.>",`,
		pkg:  "./internal/permissions", test: "TestServiceMayDoWhatIsItsOwn",
	},
	{
		name: "services-create-consumers", guarantee: "security: no service creates consumers",
		file: "internal/permissions/permissions.go",
		old:  `"CONSUMER.MSG.NEXT."+lane+".*", "CONSUMER.UNPIN."+lane+".*")`,
		new:  `"CONSUMER.MSG.NEXT."+lane+".*", "CONSUMER.CREATE."+lane+".>")`,
		pkg:  "./internal/permissions", test: "TestServiceMayDoWhatIsItsOwn",
	},
	{
		name: "inbox-shared", guarantee: "security: no service reads another's inbox",
		file: "internal/contract/streams.go",
		old:  `return "_INBOX_" + service`,
		new:  `return "_INBOX"`,
		pkg:  "./internal/permissions", test: "TestServicesShareNothing",
	},
}
