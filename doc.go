// Package replhub is the SDK of replhub for Go services: it publishes changes of
// the entities that a service owns, and subscribes to those of others.
//
// What is promised: an event that was acknowledged reaches every service that has
// registered for it, at least once, in the order of its key where the service asked
// for order. Package outbox ties a publish to the publisher's transaction. Package
// inbox applies the effect of a delivery once.
//
// What is not promised: Publish alone does not commit together with a database
// transaction. Without the inbox, a redelivery repeats the effect.
package replhub
