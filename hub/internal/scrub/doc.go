// Package scrub finds messages that a server holds and cannot read, because a file of
// its disk is damaged. nats-server passes over such a message without an error, so a
// service would miss a copy and nobody would know.
//
// A review reads the headers of a lane's copies that its workers have not processed. It
// takes place at the hub's start, after the connection was lost or another server leads
// a consumer (a server that starts reads from its disk), and every ten minutes. A review
// after a restart begins where the workers stood before it: they may have been quicker
// than the review.
//
// A lane without replicas whose copies are gone is detached: the service registers again
// with a start. On a stream with replicas other servers have the copies, so the lane goes
// on, and degraded names the server. Where it is unknown whether the workers had
// processed a damaged copy, degraded says so. Dead letters are reviewed too, and named.
//
// Not found are lost messages if the server was started twice since, and no hub ran in
// between: the server then counts them as deleted, as it does erased ones.
package scrub
