// Package bridge is what the long-running commands capture, apply and push have in
// common: health and metrics over HTTP, a clean stop, secrets that are read again when
// they are used, and the rule by which --once ends.
//
// A command makes an Ops for its HTTP and runs its work in Ops.Run. A command that
// subscribes runs its subscriber in Subscribe, which ends with --once when the service
// has caught up.
package bridge
