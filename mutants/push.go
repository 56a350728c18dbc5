package main

// pushMutants take out what keeps push from losing events, and from where it must not
// send them.
var pushMutants = []mutant{
	{
		name: "push-path-is-said", guarantee: "the path of an endpoint is in no message",
		file: "push/address.go",
		old:  "return u.Scheme + \"://\" + u.Host }",
		new:  "return u.Scheme + \"://\" + u.Host + u.Path }",
		pkg:  "./push", test: "TestPathIsASecret",
	},
	{
		name: "push-answer-repeats-the-path", guarantee: "a secret that the endpoint repeats is in no message",
		file: "push/endpoint.go",
		old:  "bridge.OneLine(masked(string(first[:n]), address), maxExcerpt)",
		new:  "bridge.OneLine(string(first[:n]), maxExcerpt)",
		pkg:  "./push", test: "TestPathIsASecret",
	},
	{
		name: "push-to-private-addresses", guarantee: "push connects to public addresses only",
		file: "push/endpoint.go",
		old:  "dialer.ControlContext = cfg.rule(u).control",
		new:  "_ = cfg.rule(u).control",
		pkg:  "./push", test: "TestNamesThatRebind",
	},
	{
		name: "push-address-in-an-address", guarantee: "push connects to public addresses only",
		file: "push/dial.go",
		old:  "if inner, ok := inside6(addr); ok {",
		new:  "if inner, ok := inside6(addr); false && ok {",
		pkg:  "./push", test: "TestIsPublic",
	},
	{
		name: "push-outage-is-poison", guarantee: "an outage of the endpoint makes no dead letters",
		file: "push/handler.go",
		old:  "return replhub.Unavailable(errors.New(a.text()))",
		new:  "return errors.New(a.text())",
		pkg:  "./push", test: "TestOutageMakesNoDeadLetters",
	},
	{
		name: "push-wave-after-a-wait", guarantee: "after a wait that the endpoint asks for, one request goes first",
		file: "push/gate.go",
		old:  "case g.first:",
		new:  "case false && g.first:",
		pkg:  "./push", test: "TestGateLetsOneGoFirst",
	},
	{
		name: "push-gone-goes-on", guarantee: "410 pauses the service",
		file: "push/handler.go",
		old:  "r.endIsNear()\n",
		new:  "\n",
		pkg:  "./push", test: "TestGonePausesTheService",
	},
	{
		name: "push-one-signature", guarantee: "each secret signs while secrets are rotated",
		file: "push/sign.go",
		old:  "for _, key := range keys {",
		new:  "for _, key := range keys[:1] {",
		pkg:  "./push", test: "TestSignature",
	},
	{
		name: "push-dry-run-sends", guarantee: "push --dry-run connects to nothing",
		file: "cmd/replhub/push.go",
		old:  "	if f.dryRun {",
		new:  "	if false && f.dryRun {",
		pkg:  "./cmd/replhub", test: "TestPushDryRun",
	},
	{
		name: "push-time-of-another-form", guarantee: "each request is a valid CloudEvent",
		file: "push/request.go",
		old:  "	attribute(cloudevent.AttrTime, d.Time.UTC().Format(time.RFC3339Nano))",
		new:  "	attribute(cloudevent.AttrTime, d.Time.UTC().Format(time.DateTime))",
		pkg:  "./push", test: "TestCloudEventsSDKReadsRequests",
	},
}
