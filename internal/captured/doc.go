// Package captured is the mark of a capture in ingest: how far the changes of a
// PostgreSQL slot are stored there, and the fence that keeps every earlier writer out.
//
// A capture is one slot. Its record is an event of an entity of its own
// ("db.capture-<slot>.update"), and the newest one counts. The promise, which uses no
// window of time and no clock: each change of the slot is stored once, in commit order,
// whatever is killed and however long anything is away. It holds for these reasons.
//
//  1. A process publishes changes only under a record that it has written itself. Every
//     append states, by the server's compare-and-set on the subject of the record
//     (Nats-Expected-Last-Subject-Sequence), that this record is still the newest. So all
//     changes stored between two records are of the one process that wrote the first, and
//     when a later record is stored, nothing that was sent before it can be stored any
//     more: not by a process that was frozen, not from a buffer of the network.
//  2. A process appends in the order of the changes, and at most one append is of unknown
//     outcome. Of an append a prefix is stored, or nothing. So the changes stored under a
//     record are a prefix of those that the process sent, and the last one says how far
//     they reach: each has its position in the header Replhub-Captured.
//  3. A record is written by compare-and-set on the record before. It says how far all
//     changes are stored (Position), as of the sequence From. Whoever is in doubt (a
//     start, a standby that takes over, an append without an answer) writes a record
//     first, and then reads the last change of its own that ingest has behind From. By
//     (1) that answer is final, by (2) it is the position.
//  4. The slot is confirmed only up to a record's Confirm, after that record is stored,
//     and Confirm lies behind no change that is not stored. So PostgreSQL sends again at
//     least what is not stored; what is stored is skipped by position. A slot that is
//     beyond the record was moved by somebody else, or ingest has lost its end: both are
//     noticed at the start.
//     A slot that is behind has to send the last transaction of which changes are stored
//     once more: else the database was put back, and has other changes at these places.
//  5. The hub writes an old record again before it trims ingest or erases events from it
//     (Keep), with the steps of (3). So the mark of a capture that is away for weeks is still there.
//
// Positions are (LSN of the commit, LSN of the change, number at that LSN), which rise in
// the order in which a slot sends changes, and are the same each time that it sends them.
package captured
