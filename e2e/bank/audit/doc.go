// Package audit judges the bank: what its services hold and did, against what
// the bank committed. It reads databases and files, and shares no code with the
// SDK or the hub.
//
// Of every service it asks: does each row equal the source's projection, is none
// missing and none there that the source has deleted; was each effect made once,
// of a committed change, and never after a newer one of its key. Of a service
// that is ordered by key also: was no change left out, did the handlers begin in
// order, and were no two instances at work on one partition at a time, a stopped
// one left out.
//
// It is not judged what the source commits: that is the database's to keep right.
package audit
