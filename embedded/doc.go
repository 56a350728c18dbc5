// Package embedded runs a nats-server with JetStream inside this process: listening
// on loopback for others, and connected to without a socket by its owner. A Server
// that Start returned answers JetStream requests; after Close no part of it runs, and
// its temporary folder is removed.
//
// Not promised: authentication, TLS or clustering (run a nats-server for
// those), and protection of the store folder from a nats-server that was not
// started by this package, which takes no lock.
package embedded
