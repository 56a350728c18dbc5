package queue

import "time"

// Row identifies the events that are kept in order. Events with an empty key have no
// order.
type Row struct{ Entity, Key string }

// Job is a delivery on its way through this process. The driver fills in the exported
// fields and embeds the Job in its own record of the delivery.
type Job struct {
	Row Row
	// Seq is the copy's sequence in the lane.
	Seq uint64
	// Delivered is how often the server has delivered it, from 1.
	Delivered int
	// Size is the payload's size in bytes.
	Size int
	// Reply is the subject for acknowledgements.
	Reply string
	// Owner is the driver's record that embeds the job.
	Owner any

	src     *Source
	state   jobState
	settled bool   // is being acknowledged
	blocked bool   // waits for an attempt, or stands behind a job of its row that does
	doubted bool   // was running when another instance may have got the partition and settled the copy
	tick    uint32 // about the round of in-progress acknowledgements when the server last heard of the job

	// In its source's deliveries in flight.
	linked         uint64 // the value of inflight.linked when the job was put in flight
	memory         int    // the source's memory when the job was delivered last
	earlier, later *Job
	inherited      bool // was delivered before this session, to this instance or another

	// In its row's line; nil without a key.
	line   *line
	behind *Job // the next of its row

	// For outages. begunAt and failedAt are values of Scheduler.begun: at the job's
	// last attempt, and at its last answer that something is unavailable. returns counts
	// the outages that the job waited for, and doubts the outage answers of its batches
	// that were disproved.
	begunAt, failedAt uint64
	returns, doubts   int

	// For attempts.
	attempts  int
	conflicts int // in a row
	waits     int // answers that another row must be inserted, changed or deleted first
	waitsFrom time.Time
	waitsFor  waitsFor // by the last answer
	gaveUp    bool     // it waited, and made room for others
	burying   bool     // its dead letter must be stored before anything else
	dead      bool     // its dead letter is stored
	due       time.Time
}

type jobState uint8

const (
	jobReady jobState = iota
	jobRunning
	jobWaiting   // for its next attempt
	jobDiscarded // another instance will get it
)

// Attempt is the number of the attempt that begins next, from 1. Earlier deliveries
// by the server count as attempts.
func (j *Job) Attempt() int { return j.Delivered + j.attempts }

// Attempts is how many attempts have failed here.
func (j *Job) Attempts() int { return j.attempts }

// Tries is how many attempts have failed here, including those that do not count
// against MaxAttempts.
func (j *Job) Tries() int { return j.attempts + j.waits }

// Burying reports whether the job's dead letter must be stored. The handler is then not
// called again.
func (j *Job) Burying() bool { return j.burying }
