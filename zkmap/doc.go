// Package zkmap mirrors a ZooKeeper directory as a tree of records: path
// "entities/user/sharing" is the znode of that name below Config.Root. Reads
// of a snapshot may be stale, never torn; Get asks the leader first.
//
// Config.Records says which paths are records, by their shape and not by whether they
// have children: an empty znode made by hand is a record if its path fits, and an
// empty folder is not.
//
// A record's version is the zxid of its last change. It grows over the whole tree, also
// when the record is deleted and made again. (ZooKeeper's own comparison counts a znode's
// writes and starts over; a record that is deleted, created and written equally often
// during one call looks unchanged.)
//
// What can go wrong with ZooKeeper and its Go client, what guards against it,
// and the test that is red without the guard:
//
//	pitfall                                | guard                                     | test
//	---------------------------------------+-------------------------------------------+------------------------------------------
//	the event channel holds six events and | a callback that gathers and never blocks, | TestAlone/ManyEventsAtOnce,
//	drops the others                       | nor calls the connection                  | TestChangesNeverBlock
//	watches and ephemerals go with the     | each session reads everything, sets its   | TestAlone/SessionExpires,
//	session                                | watches and joins its members             | TestConformance/Restart
//	a watch does not tell                  | complete reading every Config.Resync      | TestAlone/Resync
//	calls take no context and block while  | each is made aside, 64 at most, and ends  | TestAlone/CallsAside,
//	disconnected                           | with its session                          | TestConformance/RunEndsWithoutLeaks
//	sending credentials again can wedge    | a session never reconnects: when its      | TestAlone/ResetWhileAuth
//	the client                             | connection is lost, another is dialled    |
//	after a wipe the client insists on its | the same                                  | TestAlone/Wiped, TestAlone/Restored,
//	old zxid, for ever                     |                                           | TestEnsemble/Wiped
//	a server accepts and never answers     | watchdog: no session within twice the     | TestAlone/SilentServer
//	                                       | timeout, then a new connection            |
//	watches are not recursive              | one on each folder and each record        | TestAlone/HandMade
//	a connection lost during a reading     | nothing is shown unless all was read      | TestAlone/CutWhileReading
//	looks like deletions                   |                                           |
//	a znode vanishes between its listing   | it is not there, and no error             | TestAlone/VanishingNodes
//	and its reading                        |                                           |
//	a big listing or znode ends the        | WithMaxBufferSize (Config.MaxReply) far   | TestAlone/BigReplies
//	connection                             | above what is used                        |
//	a lagging follower answers from the    | sync before each Get, comparison and      | TestEnsemble/LaggingMember
//	past                                   | complete reading                          |
//	a folder that must be there is deleted | made again                                | TestAlone/SubtreeDeleted
//	names are resolved once, and TLS sees  | own host provider and WithDialer          | TestTLS
//	addresses only                         |                                           |
//	a member is seen gone between two      | the old one is replaced in one            | TestAlone/SameSessionMember
//	sessions                               | transaction                               |
//	strangers: odd names, large values,    | left out, one alarm each                  | TestAlone/Garbage, TestAlone/Auth
//	forbidden znodes                       |                                           |
//
// It is not promised that several records changed in one moment show up together, or
// that a snapshot of one session is newer than the last of the session before. SASL
// does not work: the library does not support it.
package zkmap
