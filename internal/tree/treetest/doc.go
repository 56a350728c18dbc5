// Package treetest is the behaviour that every store of a tree must show, as
// one suite that runs against a real one: records, comparisons, snapshots,
// members, and what must hold while the store is away, frozen or restarted.
//
// It is not promised that a store that passes is complete: what only one store
// can suffer (lost sessions, deleted buckets) is tested with that store.
package treetest
