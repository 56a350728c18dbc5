// Package e2e is the hub's scenarios from end to end: the built binary against
// real nats-server and ZooKeeper processes on free ports in temporary folders,
// which the test ends by process id. What reached the lanes is judged by
// package judge, which shares no code with the hub.
//
// It is not promised that a scenario takes the same way twice: its faults are
// seeded, the machine's timing is not.
package e2e
