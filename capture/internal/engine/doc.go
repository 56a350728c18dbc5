// Package engine stores the changes of a PostgreSQL slot in ingest, each once and in the
// order of their commits, through the death of everything at any moment. Why that holds
// is said in package captured: the record, the fence, and reading back what is stored.
//
// It is not promised that an event shows a large value (TOAST) as it was at its change,
// unless the table's REPLICA IDENTITY is FULL: the log leaves out a large value that did
// not change, and the value is read from the row, where it may be newer. A change whose
// row is gone by then is left out, because its state no longer exists; the change that
// removed the row follows.
//
// The way of a change: stream.go reads it from the replication connection, tuple.go and
// decode.go make an event of it (relation.go has the tables, lookup.go the large values,
// outbox.go the rows of outboxes and the messages that a transaction wrote), queue.go
// hands it to writer.go, which appends it (append.go, batch.go), deletes rows of outboxes
// (remove.go) and writes the records, which also have the alarms (alarm.go, altered.go).
// Reading and writing overlap; the queue between them is bounded, and so is the memory,
// whatever the size of a transaction: PostgreSQL keeps it on its disk until its commit.
//
// session.go is one connection from the lock to the first doubt. judge.go decides
// whether the slot and ingest fit together, and proof.go whether the log is that of what
// is stored. engine.go repeats sessions.
package engine
