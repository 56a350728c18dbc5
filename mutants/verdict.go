package main

import (
	"fmt"
	"regexp"
	"strings"
)

// verdict is what became of a test on mutated code.
type verdict int

const (
	green verdict = iota
	red           // it failed, or panicked
	hung          // it was killed after testTime
)

// result is a verdict, and the first error that the test printed.
type result struct {
	verdict verdict
	why     string
}

var (
	// errorLine is what a test prints by Error, Fatal or Log.
	errorLine = regexp.MustCompile(`(?m)^( +)\w+\.go:\d+: (.*)(?:\n( +)(.*))?`)
	panicLine = regexp.MustCompile(`(?m)^(?:panic|fatal error): .*`)
)

// read makes the result of the output of go test. A test that did not run, or a
// run that failed without a failing test, is an error.
func read(output string, failed bool) (result, error) {
	switch {
	case strings.Contains(output, "[build failed]") || strings.Contains(output, "[setup failed]"):
		return result{}, fmt.Errorf("does not build:\n%s", output)
	case strings.Contains(output, "no tests to run"):
		return result{}, fmt.Errorf("no such test:\n%s", output)
	case !failed:
		return result{verdict: green}, nil
	case strings.Contains(output, "panic: test timed out after"):
		return result{verdict: hung, why: "killed after " + testTime}, nil
	}
	at := strings.Index(output, "--- FAIL: ")
	if at < 0 {
		if line := panicLine.FindString(output); line != "" {
			return result{verdict: red, why: line}, nil
		}
		return result{}, fmt.Errorf("the run failed, but no test did:\n%s", output)
	}
	r := result{verdict: red, why: "says nothing"}
	if found := errorLine.FindStringSubmatch(output[at:]); found != nil {
		r.why = found[2]
		if len(found[3]) > len(found[1]) { // further in: the same error goes on
			r.why += " " + found[4]
		}
	} else if line := panicLine.FindString(output); line != "" {
		r.why = line
	}
	return r, nil
}
