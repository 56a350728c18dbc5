package queue

// maxHandedBytes bounds the payloads of a batch of several deliveries. Databases
// accept a statement of this size by default: MariaDB's max_allowed_packet is 16 MiB,
// and values grow when they are encoded into a statement.
const maxHandedBytes = 4 << 20

// Batch is the work of a worker: one job, or several if the handler takes several. A
// worker reuses its Batch.
type Batch struct {
	Jobs []*Job

	verdicts []Verdict // by the index of the job
	sources  []*Source // of the jobs
	halving  halving
}

func (b *Batch) reset() {
	clear(b.Jobs)
	b.Jobs = b.Jobs[:0]
}

// Begin clears the notes of the last attempt.
func (b *Batch) Begin() {
	b.verdicts = append(b.verdicts[:0], make([]Verdict, len(b.Jobs))...)
	b.halving.begin(len(b.Jobs))
}

// Of returns the jobs at places.
func (b *Batch) Of(places []int) []*Job {
	jobs := make([]*Job, len(places))
	for n, i := range places {
		jobs[n] = b.Jobs[i]
	}
	return jobs
}

// Conclude notes the verdict of the job at a place.
func (b *Batch) Conclude(i int, v Verdict) { b.verdicts[i] = v }

// room is how many jobs may be in a batch with this one. A job that has failed is
// tried alone. A redelivered job may have crashed a process, or may have caused the
// outage answer of its batch: with each redelivery or such answer the batch shrinks
// to an eighth.
func (j *Job) room(share int) int {
	if j.burying || j.attempts > 0 || j.conflicts > 0 {
		return 1
	}
	return max(share>>min(3*(max(j.Delivered-1, 0)+j.doubts), 30), 1)
}
