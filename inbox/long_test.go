//go:build long

package inbox_test

// lengthy is whether tests that draw at random draw much, and run on each setting of
// each database: go test -tags long.
const lengthy = true
