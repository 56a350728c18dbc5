// Package harness is a world for one scenario: a nats-server, a registry, hub
// processes of the built binary, publishers that record what they were told,
// and the record of all registrations. It reads the streams as they grow, so
// that what is trimmed later can still be judged. Everything it starts ends
// with the test.
//
// It is not promised that methods may be called from several goroutines, but
// for those that say so.
package harness
