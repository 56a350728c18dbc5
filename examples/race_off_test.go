//go:build !race

package examples_test

// buildFlags has the programs built as the tests are, from the same cache.
const buildFlags = ""
