// Package subjects is the grammar of replhub's names, subjects and streams:
// parse once at the edge into opaque values, pass those inside. What parses
// prints the same again, and no value that parsed can escape its place in a
// subject.
//
// A name that parses need not exist. Only replhub's own grammar is parsed: for NATS,
// more subjects are valid.
package subjects
