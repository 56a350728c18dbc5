// Package judge decides whether lanes hold what they should: it expands the
// events of ingest by itself and compares. It shares no code with the hub: a
// fault in the hub's expansion, headers or cursors is not repeated here.
//
// It is not promised that it is fast, nor that it understands any filter:
// a test that gives the hub a filter gives the judge the same filter in Go.
package judge
