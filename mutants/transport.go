package main

// transportMutants take out what keeps strangers from the hub's HTTP, and services within
// their quotas.
var transportMutants = []mutant{
	{
		name: "http-without-token", guarantee: "HTTP answers only who has the token",
		file: "internal/opshttp/token.go",
		old:  "if err != nil || !carries(r, want) {",
		new:  "if err != nil || false && !carries(r, want) {",
		pkg:  "./cmd/replhub", test: "TestHTTPWithTokenAndTLS",
	},
	{
		name: "http-beyond-this-machine", guarantee: "HTTP that other machines reach has a token and TLS",
		file: "internal/opshttp/listen.go",
		old:  `if !Loopback(listener.Addr()) && (s.TokenFile == "" || secure == nil && !s.Behind) {`,
		new:  `if !Loopback(listener.Addr()) && s.TokenFile == "" && secure == nil {`,
		pkg:  "./cmd/replhub", test: "TestHTTPBeyondThisMachine",
	},
	{
		name: "quota-of-lane-bytes", guarantee: "a registration stays within the quota of bytes",
		file: "hub/internal/registration/quota.go",
		old:  "if most := r.cfg.MaxLaneBytes; most > 0 && stated > most {",
		new:  "if most := r.cfg.MaxLaneBytes; false && most > 0 && stated > most {",
		pkg:  "./hub", test: "TestQuotas",
	},
}
