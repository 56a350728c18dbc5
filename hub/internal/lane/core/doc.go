// Package core decides what a lane does next: what is read, appended, waited for.
// It holds what one writer knows of its lane (the state record, the end of the
// stream, the cursors, what is being copied, what is in doubt) and does nothing
// itself: no goroutine, clock, context or server is in it. A driver does what it
// says and tells it what came of that.
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
// Each but StoreLetter, Edit and Diagnose may be answered with Failed instead, which
// says what is known of the failure. An answer that comes after the step's Patience
// is none: the driver says Failed with Late, and forgets the answer. The other steps
// (Wait, FetchRows, DropRows, Answer, RefuseChanges) ask for none; the rows of a
// FetchRows come in with RowsCame and RowsLate, whenever they do, between an answer
// and the next call of Next, or while the driver waits.
//
// Beside the answers a driver says, at any time between two steps: Recheck (the lane
// is to be read again), Progressed (how far the open append is stored) and
// AppendEnded (the server ended the open append by itself). While the step is a Wait
// with Stand, Follow may take an event at once.
//
// # What holds
//
//   - At most one append is in doubt. An append is one Append or Record, or what was
//     sent from an Append that opens one to the Settle or Append that closes it.
//   - After any Failed, ReadTip comes before anything is appended.
//   - What is appended was expanded under the newest state record alone, and states
//     the last sequence that the lane was known to have.
//   - The cursor moves over an event once its copy is sent, or its dead letter stored.
//
// A Lane is for one goroutine at a time. A process that is killed loses it: the next
// one begins with New, and so with ReadTip.
package core
