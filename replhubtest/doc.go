// Package replhubtest is for a service's own tests: a hub in one line, publish and
// await helpers, a middleware that causes the faults of crashes and networks, and an
// assertion that a replica converged.
//
//	hub := replhubtest.Start(t)
//	chaos := replhubtest.NewChaos(t, replhubtest.ChaosConfig{})
//	hub.Subscribe(t, "sharing", subscription, chaos.Wrap(handler)) // or SubscribeBatch and WrapBatch
//	hub.Publish(t, events...)
//	replhubtest.Converged(t, replhubtest.SQL(source, "SELECT id, name FROM users"),
//		replhubtest.SQL(replica, "SELECT id, name FROM people"))
//
// The hub is the real one, on a real nats-server in this process, on a port of its
// own, so a test sees what a service gets. Everything that is started ends with the
// test.
//
// What is not promised: the timing of a cluster, and the effects of a power loss on a
// disk. A Chaos can find faults of a handler; it cannot prove that there are none.
//
// This package links a nats-server and a hub. The SDK does not import it.
package replhubtest
