// Package apply keeps tables equal to the rows of other services, without code: it is an
// instance of a service made of the SDK, package inbox and a database.
//
// [Run] reads what the tables' columns are called, registers the service for just those
// fields, and writes each change once, in the order of its key. PostgreSQL, MariaDB and
// SQLite are told apart by the DSN. With [Config.Create] it makes the tables from what
// the owners' rows look like. Several instances of one service share the work.
//
// What is promised: the guarantees of package inbox, for each table. What does not fit
// (a table or column that is missing, a right, a type that takes no value that came) is
// a [*FindingsError], all at once and before the first row is written.
//
// What is not promised: rows that the owner deleted while nobody was registered stay in
// the table, since no event announces the delete.
//
// The files in the order in which a run goes through them: config.go, database.go
// (the DSN), preflight.go with match.go and rehearse.go (the tables as they are),
// registration.go, sample.go and gate.go (the first rows), create.go with infer.go and
// ddl.go (tables that are made from them), handler.go, status.go, progress.go and
// summary.go, and applier.go, which runs them. internal/bridge decides when a run with Once
// has caught up.
package apply
