// Package capture publishes the changes of tables of a PostgreSQL database as events,
// without code in the service that writes them. It reads the database's log by logical
// replication, and serves the rows of the tables to snapshots and backfills.
//
// What is promised: each committed change of a captured table is in ingest once, and in
// the order of the commits, whatever process is killed at any moment and however long the
// capture was away. The version of a change grows with each change of a row. Values are
// exact: TYPES.md has the rules. All problems are reported before anything is created in
// the database.
//
// What is not promised: a delete for each row of a TRUNCATE, and changes whose log the
// server has removed. Both raise an alarm.
//
// capture.go joins the parts: internal/source (the database, its catalog and its rows),
// internal/row (values and keys), internal/outboxtable (the rows of outboxes),
// internal/engine (the stream of changes), and internal/change, the border between these.
// watch.go adds tables that come later, and serve.go serves rows.
package capture
