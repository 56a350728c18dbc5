package main

// doctorMutants are the mechanisms of replhub doctor, watch and the line of progress.
var doctorMutants = []mutant{
	{
		name: "doctor-passes-what-it-cannot-see", guarantee: "doctor: what the credentials do not permit to see does not pass",
		file: "hub/doctor/ask.go",
		old:  "	a.denied[subject] = true\n",
		new:  "",
		pkg:  "./hub/doctor", test: "TestFewPermissions",
	},
	{
		name: "doctor-ages", guarantee: "doctor: a stream that loses messages by age is found",
		file: "hub/doctor/shapes.go",
		old:  "cfg.MaxAge > 0 && !s.aged",
		new:  "false && cfg.MaxAge > 0 && !s.aged",
		pkg:  "./hub/doctor", test: "TestFinds",
	},
	{
		name: "doctor-exit", guarantee: "doctor: the exit code is 1 when a check fails",
		file: "cmd/replhub/doctor.go",
		old:  "	if !report.Failed() {",
		new:  "	if true || !report.Failed() {",
		pkg:  "./cmd/replhub", test: "TestDoctor",
	},
	{
		name: "watch-cursor-stays-on-its-row", guarantee: "watch: the cursor stays on its service when the rows move",
		file: "internal/livetable/model.go",
		old:  "		at = m.at(rows)\n",
		new:  "		at = m.top\n",
		pkg:  "./internal/livetable", test: "TestScrolls",
	},
	{
		name: "progress-unasked", guarantee: "cli: no progress where nobody looks and nobody asks",
		file: "cmd/replhub/progressline.go",
		old:  "	return p.app.progress || !p.app.json && p.app.isTerminal(p.app.errOut)",
		new:  "	return true",
		pkg:  "./cmd/replhub", test: "TestRedriveShowsItsProgress",
	},
}
