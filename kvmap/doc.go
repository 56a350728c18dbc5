// Package kvmap mirrors a JetStream key-value bucket as a tree of records:
// path "entities/user/sharing" is key "entities.user.sharing". Reads of a
// snapshot may be stale, never torn; Get asks the stream's leader.
//
// It behaves as package zkmap does over ZooKeeper; both pass package treetest.
// A Map's connection is its caller's: the caller dials it (with
// nats.MaxReconnects(-1), so that Run outlasts any outage), and closes it after
// Run.
//
// Members are keys with a time to live (Config.MemberTTL), put again three
// times within it: when their process dies they expire in the server, which
// leaves a marker that other maps see. A snapshot shows a member at the
// version of its first appearance; putting it again unchanged is no change.
//
// What can go wrong with a bucket, what guards against it, and the test that
// is red without the guard:
//
//	pitfall                                 | guard                                  | test
//	----------------------------------------+----------------------------------------+--------------------------
//	a consumer of a bucket that was deleted | a watch never resumes: at any doubt    | TestBucketDeleted
//	and created again waits for its old     | the bucket is read again               |
//	sequence for ever                       |                                        |
//	ephemeral consumers end with the server | the same, on heartbeats and on the     | TestConformance/Restart
//	                                        | connection's state                     |
//	messages lost between server and client | consumer sequences must be contiguous  | TestGapIsNoticed
//	a change that no watch brought          | complete reading every Config.Resync   | TestResync
//	direct gets answer from any replica     | AllowDirect is off, also in a bucket   | TestAdoptsBucket
//	                                        | that was made without us               |
//	a bucket made without us refuses a time | the same: AllowMsgTTL is set           | TestAdoptsBucket
//	to live                                 |                                        |
//	strangers: odd keys, large values       | left out, one alarm each               | TestGarbage
//
// It is not promised that several records changed in one moment show up
// together, that a handle on the bucket which was opened before the map turned
// direct gets off goes on reading, that a bucket's replicas follow
// Config.Replicas after it was created, or that a key which expires is gone to
// the second: the server looks about once a second.
package kvmap
