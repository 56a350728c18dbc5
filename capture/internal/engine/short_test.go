//go:build !long

package engine_test

// killRounds is how often TestKills kills something.
const killRounds = 6
