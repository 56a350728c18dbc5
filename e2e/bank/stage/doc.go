// Package stage puts the bank up for a test and breaks it: databases, processes
// of command bank, and faults that are chosen by a seed and fall at given shares
// of the work. Everything that it starts ends with the test.
//
// It is not promised that a seed breaks the same transaction twice: what is hit
// and for how long is seeded, the machine's timing is not. Methods are called
// from the test's goroutine.
package stage
