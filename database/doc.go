// Package database holds what the packages outbox and inbox share about databases:
// dialects, transactions, the classes of errors, and the schema of a package's
// tables.
//
// It imports only the standard library. The driver is the service's own choice.
package database
