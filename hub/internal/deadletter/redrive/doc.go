// Package redrive decides how dead letters come back into their lane: each once, and in
// their order. Package control performs the decisions.
//
// A letter is removed after its copy is in the lane, so a crash in between leaves both.
// The lane's state record names such letters until they are removed: the copies and the
// record behind them are one append. Letters are read within the compare-and-set of that
// append, so only a hub that finds a letter still there, and missing in the record, puts
// its event back.
//
// Not promised: that an event comes back. A letter stays, with a reason, if its event may
// not be copied any more.
//
// A Redrive returns one Step at a time. The driver performs the step and calls its Then.
// A step that fails ends the redrive, which is safe at every step: the next redrive of the
// lane finishes it.
package redrive
