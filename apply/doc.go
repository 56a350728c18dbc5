// Package apply keeps tables equal to the rows of other services, without code. It runs
// an instance of a service with the SDK, package inbox and a database.
//
// [Run] reads the names of the tables' columns, registers the service for exactly those
// fields, and writes each change once, in the order of its key. The form of the DSN
// selects PostgreSQL, MariaDB or SQLite. With [Config.Create], Run creates missing tables
// from the first rows of the owners. Several instances of one service share the work.
//
// What is promised: the guarantees of package inbox, for each table. Run returns all
// problems (a missing table, column or right, a type that accepts no value of the first
// rows) in one [*FindingsError], before it writes the first row.
//
// What is not promised: rows that the owner deleted while the service was not registered
// stay in the table, because no event reports these deletes.
//
// The files in the order in which a run goes through them: config.go, database.go
// (the DSN), preflight.go with match.go and rehearse.go (the tables as they are),
// registration.go, sample.go and gate.go (the first rows), create.go with infer.go and
// ddl.go (tables that are made from them), handler.go, status.go, progress.go and
// summary.go, and applier.go, which runs them. internal/bridge decides when a run with Once
// has caught up.
package apply
