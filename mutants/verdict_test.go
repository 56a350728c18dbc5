package main

import "testing"

func TestVerdicts(t *testing.T) {
	for name, c := range map[string]struct {
		output string
		failed bool
		want   result
		broken bool
	}{
		"green":         {output: "ok  \texample\t0.1s\n", want: result{verdict: green}},
		"an error":      {output: "--- FAIL: TestX (0.10s)\n    --- FAIL: TestX/sub (0.00s)\n        time=12 level=INFO\n        x_test.go:12: got 1,\n            want 2\nFAIL\n", failed: true, want: result{verdict: red, why: "got 1, want 2"}},
		"a panic":       {output: "--- FAIL: TestX (0.10s)\npanic: boom [recovered]\n", failed: true, want: result{verdict: red, why: "panic: boom [recovered]"}},
		"another's":     {output: "panic: boom\n\ngoroutine 7 [running]:\nFAIL\n", failed: true, want: result{verdict: red, why: "panic: boom"}},
		"killed":        {output: "panic: test timed out after 30s\n\trunning tests:\n\t\tTestX (20s)\n", failed: true, want: result{verdict: hung, why: "killed after " + testTime}},
		"no build":      {output: "x.go:1: undefined\nFAIL\texample [build failed]\n", failed: true, broken: true},
		"no test":       {output: "ok  \texample\t0.1s [no tests to run]\n", broken: true},
		"none that ran": {output: "goleak: Errors on successful test run\nFAIL\texample\t0.1s\n", failed: true, broken: true},
	} {
		got, err := read(c.output, c.failed)
		if got != c.want || (err != nil) != c.broken {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, c.want)
		}
	}
}
