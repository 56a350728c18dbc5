package main

// deployMutants take out what installations rely on.
var deployMutants = []mutant{
	{
		name: "probe-of-another", guarantee: "a health check sends the token to no other process than that of its certificate",
		file: "internal/opshttp/probe.go",
		old:  "if len(state.PeerCertificates) == 0 || !bytes.Equal(state.PeerCertificates[0].Raw, pair.Certificate[0]) {",
		new:  "if len(state.PeerCertificates) == 0 || false && !bytes.Equal(state.PeerCertificates[0].Raw, pair.Certificate[0]) {",
		pkg:  "./cmd/replhub", test: "TestProbe",
	},
}
