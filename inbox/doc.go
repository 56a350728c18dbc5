// Package inbox makes the effect of a delivery once, in the subscriber's own
// database. It writes the effect in the same transaction as a row that records the
// last applied change of the (entity, key).
//
// What is promised: deliveries come at least once and, across instances, in any
// order. With the inbox, each change has its effect at most once and never after a
// newer change of its key, and a change that comes late does not bring a deleted row
// back. That holds for instances that apply the same key at the same time, and
// through a crash at any point. The table grows with keys, not with traffic.
//
// What is not promised: that every change has its effect. If a newer change of the key
// came first, the older one is skipped. No data is lost as long as each change carries
// the whole entity. So an effect must handle every op that its service gets: an effect
// that ignores creates or reads may miss data.
//
// A key is 1 to [MaxKey] bytes of UTF-8 without control characters and without white
// space at its ends. Two keys are the same if their bytes are; a JSON number's text
// is the key, so that 42, 42.0 and 4.2e1 are three. This rule holds for publishers,
// hub, inbox and tables: in a [Table] each key has a row of its own, or is refused.
//
// A [Table] stores a value unchanged, converts it by a lossless rule, or refuses it
// with a [*ValueError]. TYPES.md has the rules and, for each type of each database,
// the stored form of each value. Payload members that no column takes and columns
// without a member are counted ([Table.Unmapped]) and logged once.
//
// [Table.Handler] is all that a plain replica needs: it writes the waiting deliveries
// into the table in one transaction with a few statements. A handler of your own calls
// [Inbox.ReplicateBatch] for several deliveries, or [Inbox.Replicate] for one.
// [Inbox.Do] makes any effect in a transaction of its own, [Inbox.Apply] in the
// caller's transaction.
//
// Unique values may move between rows, even if only the final states arrive: rows of
// one transaction give their values up before they get new ones. If another row has
// the value of a delivery, the delivery is noted in a second table until the change of
// that row arrives. The two changes are then applied together. A row is never changed
// because of another row's event alone: if its own change does not come, the error has
// the class database.Waits. Apply and Do do not move unique values.
//
// A transaction locks the row of its key until it ends. A process that stands still
// in the middle of a transaction holds up that key. With OrderKey it holds up the whole
// partition, because the next holder has to settle that delivery first. Let the
// database end such sessions: in PostgreSQL set idle_in_transaction_session_timeout,
// and lock_timeout, which turns the wait into a failed attempt that holds up only its
// own key.
//
// Order: of two changes of one origin, the one with the greater version is newer. If
// one of them has no version, or if the origins differ, the one with the greater
// position is newer. A publisher should give versions always or never, and never
// restart them: all changes with lower versions would count as old. A key that several
// services write (two-way replication) needs a [Policy]. The subscribers of such a key
// register with echo, so that each also sees its own changes in the common order, and
// their effects must not publish.
//
// A row of a snapshot is applied unless it is older than the applied change, so also if
// its version or its position is the same. A repeated snapshot therefore fills a new
// column and restores lost rows. A row that is delivered twice is applied twice, which
// does not matter for a Table; any other effect must check the delivery itself. A row
// replaces a delete only if it is newer. The inbox then records the later of the two
// positions.
//
// A lower version of the same origin at a later position is counted
// ([Stats.Regressed]) and warned about once for each origin: a publisher that was
// restored from a backup assigns versions a second time, and its changes are skipped
// until they exceed the old ones. Begin a new generation of its outbox.
package inbox
