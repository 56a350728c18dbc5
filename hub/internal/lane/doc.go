// Package lane writes and keeps one service's stream: a log of copies and state
// records to which only the hub appends.
//
// The promise: each event that is due reaches the lane exactly once per registration,
// in ingest order per entity, through any crash and beside any number of other
// writers. It holds because every append states the lane's last sequence, at most one
// append of unknown outcome exists at a time, copies are expanded only under the
// lane's own newest state record, and after any doubt the writer reads the stream
// again before it continues.
//
// The decisions are made without a server: package core decides what is read,
// appended and waited for, package record defines state records and their changes,
// and package history decides which copies may be trimmed. The driver in this package
// performs the decisions and reports the outcomes.
//
// Not promised: that instances see each copy once (the inbox does that), and anything
// about messages that other programs append to the stream.
package lane
