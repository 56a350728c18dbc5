// Package history decides what of a lane may go: the copies that every consumer has
// dealt with, as far as that is proven, and that are old enough. It is given what was
// read of the stream, its consumers and the dead letters, in the order in which it asks
// for it, and asks no server itself.
//
// Never the last message goes, nor one that a consumer may still need however late the
// server's answers came, nor one whose dead letter may be missing.
package history
