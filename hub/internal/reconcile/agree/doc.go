// Package agree decides how the records of the registry and the state records of the
// lanes are made to agree. Package reconcile performs the decisions.
//
// The lane decides: copies are made under its state record. A record with an id and a
// since is made to agree with the lane: it is corrected, removed or reported. A record of
// an interest in force that the registry lacks is put back. Nothing that is missing in
// the registry ends an interest.
//
// A record without a since is a request. It registers once: a hub first writes an id into
// the record, by compare-and-set, and the interest gets that id. The lane remembers the
// ids of ended interests, and refuses them. So an interest does not come back when the
// registry is away while the interest ends, or when a hub has an old copy of the
// registry.
//
// Interest returns one Step at a time. The driver performs the step and calls its Then,
// until a step has none. It performs the steps of one record one after the other.
package agree
