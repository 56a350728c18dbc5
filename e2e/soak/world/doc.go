// Package world is a soak: hubs on real nats-server processes, services with
// healthy workers of both orders, publishers at a steady rate, and registrations,
// rewinds, pauses and drops that go on all the time. Package tally judges it as it
// goes.
//
// What is chosen at random is seeded. It is not promised that two runs of one
// seed are alike: they share the machine's timing.
package world
