// Package history decides which copies of a lane may be purged: those that every
// consumer has provably processed and that are old enough. It is given the state of
// the stream, its consumers and the dead letters, in the order in which it asks for
// them, and sends no request itself.
//
// It never purges the last message, a message that a consumer may still need (however
// late the server's answers came), or a message whose dead letter may be missing.
package history
