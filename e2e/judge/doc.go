// Package judge decides whether lanes hold what they should: it expands the
// events of ingest by itself and compares. It shares no code with the hub: a
// fault in the hub's expansion, headers or cursors is not repeated here.
//
// It is not promised that it is fast, nor that it understands any filter:
// whoever states a filter for the hub states the same in Go for the judge.
package judge
