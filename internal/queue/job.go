package queue

import "time"

// Row is what events are kept in order by. An empty key has no order.
type Row struct{ Entity, Key string }

// Job is a delivery on its way through this process. The driver fills in the
// exported fields and embeds it in what it knows of the delivery itself.
type Job struct {
	Row Row
	// Seq is the copy's sequence in the lane.
	Seq uint64
	// Delivered is how often the server has delivered it, from 1.
	Delivered int
	// Size is that of the payload, in bytes.
	Size int
	// Reply is where acknowledgements go.
	Reply string
	// Owner is what embeds the job.
	Owner any

	src     *Source
	state   jobState
	blocked bool   // waits for an attempt, or behind one of its row that does
	doubted bool   // was at work when others may have got the partition, and settled it
	tick    uint32 // when the server last heard that it is in work

	// In its source's deliveries in flight.
	linked         uint64 // how many jobs had been put in flight by then
	memory         int    // the source's memory when it was delivered last
	earlier, later *Job
	inherited      bool // was delivered before this session, to this instance or another

	// In its row's line; nil without a key.
	line   *line
	behind *Job // the next of its row

	// In outages. begunAt and failedAt are of Scheduler.begun, at its last attempt
	// and at its last answer that something is away; returns counts the outages that
	// it waited for, and doubts the answers in a batch that were disproved.
	begunAt, failedAt uint64
	returns, doubts   int

	// Of its attempts.
	attempts  int
	conflicts int // in a row
	waits     int // answers that another row must come, change or go first
	waitsFrom time.Time
	gaveUp    bool // it waited, and gave its place up to others
	burying   bool // its dead letter is to be stored before anything else
	dead      bool // its dead letter is stored
	due       time.Time
}

type jobState uint8

const (
	jobReady jobState = iota
	jobRunning
	jobWaiting   // for its next attempt
	jobDiscarded // others will have it
)

// Attempt is the number of the attempt that begins next, the server's deliveries
// included, from 1.
func (j *Job) Attempt() int { return j.Delivered + j.attempts }

// Attempts is how many attempts have failed here.
func (j *Job) Attempts() int { return j.attempts }

// Tries is how many attempts have failed here, those included that use up none.
func (j *Job) Tries() int { return j.attempts + j.waits }

// Burying reports whether the job's dead letter is to be stored; its handler is not
// called any more.
func (j *Job) Burying() bool { return j.burying }
