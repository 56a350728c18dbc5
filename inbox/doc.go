// Package inbox makes the effect of a delivery once, in the subscriber's own
// database: the effect and one row per (entity, key), which says what was
// applied last, are written in the same transaction.
//
// What is promised: deliveries come at least once and, across instances, in any
// order; with the inbox each change has its effect at most once, never after a
// newer change of its key, and a change that comes late does not bring a deleted
// row back. That holds for instances that apply the same key at the same time,
// and through a crash at any point. The table grows with keys, not with traffic.
//
// What is not promised: every change has its effect. When a newer one came
// first, the older is skipped, which loses nothing as long as each carries the
// whole entity. So an effect must treat every op that its service is sent: one
// that passes over creates or reads leaves out what older changes said.
//
// A key is 1 to [MaxKey] bytes of UTF-8 without control characters and without
// white space at its ends. Two keys are the same if their bytes are; a JSON
// number's text is the key, so that 42, 42.0 and 4.2e1 are three. It is one rule
// for publishers, hub, inbox and tables: in a [Table] each key has a row of its
// own, or is refused.
//
// A [Table] stores a value as what it is, converts it by a rule that loses nothing,
// or refuses it with a [*ValueError]. TYPES.md has the rules and, for each type of
// each database, what becomes of each value. Payload members that no column takes
// and columns without a member are counted ([Table.Unmapped]) and logged once.
//
// [Table.Handler] is all that a plain replica needs: what waits goes into the table
// in one transaction with a few statements. [Inbox.ReplicateBatch] does that for a
// handler of one's own, [Inbox.Replicate] for one delivery. [Inbox.Do] makes any effect in a transaction of its own, [Inbox.Apply] in the
// caller's.
//
// Unique values that change hands get there, also where only the final states arrive:
// rows of one transaction give them up before they get new ones, and a delivery whose
// value another row has is noted in a second table, beside the inbox's own, until
// somebody has that row's own change as well; the two are then applied together. A row
// is never changed for the sake of another row's event alone: where its change does
// not come, the error is of the class database.Waits. Apply and Do do nothing of this.
//
// A transaction holds the row of its key until it ends. A process that stands
// still in the middle of one holds that key up, and in the order of keys its
// whole partition, since the next holder has to settle that delivery first. Have
// the database end such sessions: in PostgreSQL by lock_timeout, which makes it a
// failed attempt that holds its own key alone, and
// idle_in_transaction_session_timeout.
//
// Order: among changes of one origin the greater version is the newer, where
// both have one; otherwise the greater position is. A publisher should give
// versions always or never, and never begin to count again: all that has a lower
// one would be taken for old. A key that several services write (two-way
// replication) needs a [Policy]; its subscribers register with echo, so that
// each sees its own changes in the one order too, and effects never publish.
//
// A row of a snapshot is applied if it is not older than what was applied: also
// where its version or its position is the same. So a snapshot that is asked for
// again gives a new column its values and brings lost rows back. One that is
// delivered twice is applied twice, which a Table does not notice; an effect that
// is more than a replica's looks at the delivery. Over a delete a row wins only if
// it is newer. It leaves the later of the two positions.
//
// A lower version of the same origin at a later position is counted
// ([Stats.Regressed]) and warned about once for each origin: a publisher that was
// restored from a backup gives versions that it gave before, and its changes are
// passed over until they exceed the old ones. Begin a new generation of its outbox.
package inbox
