//go:build !long

package e2e_test

// lengthy is whether the tests of faults run at length: "task faults".
const lengthy = false
