// Package database is what the packages outbox and inbox know of a database:
// its dialect, a transaction in it, and the schema of a package's tables.
//
// It needs the standard library alone. The driver is the service's own choice.
package database
