// Package record is a lane's state record: which interests are in force, where the
// lane stands in ingest, and which fills are under way. A record lies in the lane's
// own stream, between the copies, so that a record and the copies behind it always
// agree.
//
// The package is pure: states are values, and functions that change one return a new
// one. A state that was accepted can always be written again; see Bounded.
package record
