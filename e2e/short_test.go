//go:build !long

package e2e_test

// lengthy is whether the tests of faults run at length: "task faults".
const lengthy = false

// snapshotRows is the size of the table of TestSnapshotUnderKills.
const snapshotRows = 30_000
