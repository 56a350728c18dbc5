// Command bank is a bank and two services that replicate it, for the scenario in
// package e2e: publishers that change accounts in PostgreSQL and enqueue each
// change in the same transaction, relays, and instances that apply what they are
// sent through the inbox. A process of it may be killed or stopped at any moment.
//
// The service "ledger" makes effects of its own and is ordered by key; "cards"
// replicates into a table, without an order.
//
// Whether all of it held is judged by package audit, which shares no code with
// the SDK; package stage starts the processes and breaks them.
//
//	bank prepare   -db DSN [-replica ledger=DSN]…
//	bank publisher -db DSN -nats URL -name p1
//	bank relay     -db DSN -nats URL -name r1
//	bank instance  -db DSN -nats URL -name ledger-1 -service ledger [-journal FILE [-batches]]
//
// With -without a role leaves one mechanism out, so that the scenario can be
// seen to notice: "inbox" makes effects without the guard, "exclusivity" lets
// all instances compete for all partitions, "outbox" enqueues in a transaction
// beside that of the change.
package main
