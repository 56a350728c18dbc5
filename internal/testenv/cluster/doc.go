// Package cluster starts real nats-server and ZooKeeper processes for tests:
// on free loopback ports, in temporary folders, stopped by process id when the
// test ends. What a machine lacks is a failed test that says what to install,
// never a skipped one.
//
// It is not promised that a port which was free a moment ago still is. The
// package imports nothing of this module and breaks nothing by itself: it
// stops, kills, freezes, wipes and restores what it is told to.
package cluster
