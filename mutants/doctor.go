package main

// doctorMutants are the mechanisms of replhub doctor.
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
}
