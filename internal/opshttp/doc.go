// Package opshttp is the HTTP side for operators that every long-running command has:
// a listener, a token, and a server that stops in good order. Lane names, errors and
// figures are for operators alone: an address that other machines reach is refused
// without a token and TLS, and certificate and token may be replaced while the command
// runs.
//
// What a path answers is its user's business, except /healthz, which says that the
// process is alive.
package opshttp
