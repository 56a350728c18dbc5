// Package core decides what a lane does next: what it reads, appends and waits for.
// It holds one writer's knowledge of its lane: the state record, the end of the
// stream, the cursors, the events being copied, and the append in doubt. It acts on
// nothing itself: it has no goroutine, clock, context or server. A driver performs
// its steps and reports their outcomes.
//
// # The interface
//
//	for {
//		step := l.Next(world)    // what to do, given the time and who waits
//		...                      // the driver does it
//		l.TipRead(tip)           // and answers: one method for each outcome
//	}
//
// Next returns one Step at a time. The steps that ask for an answer get exactly one,
// before Next is called again:
//
//	ReadTip      TipRead, StateLost
//	ConfirmTip   TipConfirmed, StateLost
//	Recall       Recalled
//	CheckCursors CursorsChecked, CursorsGone
//	ReadEvents   EventsRead
//	Admit        Admitted
//	StoreLetter  LetterStored, LetterFailed
//	Append       Sent (Open, Add), Stored (Whole, Close)
//	Settle       Settled
//	Record       Recorded, NotSent
//	Measure      Measured
//	FindHistory  HistoryFound
//	Purge        Purged
//	Prove        Proved
//	Edit         Edited
//	Diagnose     Diagnosed
//
// Except for StoreLetter, Edit and Diagnose, the answer to each step may also be
// Failed, which describes the failure. An answer that comes after the step's Patience
// does not count: the driver calls Failed with Late, and drops the answer. The steps
// Wait, FetchRows, DropRows, Answer and RefuseChanges ask for no answer. The driver
// reports the rows of a FetchRows with RowsCame, RowsCounted and RowsLate, at any time between an
// answer and the next call of Next, or while the driver waits.
//
// Beside the answers, a driver may report at any time between two steps: Recheck (the
// lane is to be read again), Reconnected (the connection was lost), Progressed (how far the open append is stored) and
// AppendEnded (the server ended the open append by itself). While the step is a Wait
// with Stand, Follow may take an event at once.
//
// # What holds
//
//   - At most one append is in doubt. An append is one Append or Record, or all
//     messages from an Append that opens it to the Settle or Append that closes it.
//   - After any Failed or Reconnected, ReadTip comes before anything is appended.
//   - Nothing is appended behind an end of the stream that was last seen more than
//     ConfirmAfter ago.
//   - Appended copies were expanded under the newest state record only, and state the
//     lane's last known sequence.
//   - The cursor moves over an event once its copy is sent, or its dead letter stored.
//
// A Lane must not be used concurrently. It is lost with its process: the next process
// begins with New, and so with ReadTip.
package core
