// Package mirror is what the stores of a tree have in common: the grammar of
// paths, which paths are records, and the state that a map shows to readers
// (snapshot, changes, connection, alarms).
//
// It is not promised that the package talks to anything: it starts no
// goroutine and does no I/O but log lines.
package mirror
