// Package lane writes and keeps one service's stream: a log of copies and state
// records that the hub alone appends to.
//
// The promise: each event that is due reaches the lane exactly once per
// registration, in ingest order per entity, through any crash and beside any
// number of other writers. It holds because every append states the lane's last
// sequence, at most one append of unknown outcome exists at a time, a lane is
// expanded by its own newest state record alone, and after any doubt the writer
// reads the stream again before it goes on.
//
// What happens next is decided without a server: package core decides what is read,
// appended and waited for, package record what a state record is and how it changes,
// package history what of a lane may go. The driver here does what they say, and
// tells them what came of it.
//
// Not promised: that instances see each copy once (that is the inbox's), and
// anything for messages that others put into the stream.
package lane
