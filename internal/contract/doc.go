// Package contract is the contract in Go: the names, headers and JSON forms that
// replhub and everything that talks to it share. Whatever crosses the network
// under a fixed name is declared here once.
//
// It is not promised that the package holds behaviour: it declares and
// decodes, and depends on the standard library only.
package contract
