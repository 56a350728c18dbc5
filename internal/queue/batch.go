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

// share is how many jobs a worker may take. All jobs, waiting or under way, are
// divided evenly among the workers, so that no worker is idle while another has a
// long batch.
func (s *Scheduler) share() int {
	if s.cfg.MaxBatch == 1 {
		return 1
	}
	there := 0
	for _, src := range s.sources {
		there += src.active - len(src.session.held)
	}
	return min((there+s.cfg.Workers-1)/s.cfg.Workers, s.cfg.MaxBatch)
}

// fill adds waiting jobs to a batch of one, as far as there is room: the rest of its
// row, then the next row, and so on. A job that waits for another row gets only the
// rest of its own row.
func (s *Scheduler) fill(b *Batch, share int) {
	first := b.Jobs[0]
	if first.waits > 0 {
		share = s.cfg.MaxBatch
	}
	room := first.room(share)
	bytes := first.Size
	fits := func(j *Job) bool {
		room = min(room, j.room(share))
		bytes += j.Size
		return j.waits == 0 && len(b.Jobs) < room && bytes <= maxHandedBytes
	}
	for row := first; ; {
		for j := row.behind; j != nil; j = j.behind {
			if !fits(j) {
				return
			}
			s.begin(b, j)
		}
		if first.waits > 0 {
			return
		}
		row = s.ready.peek()
		if row == nil || !fits(row) {
			return
		}
		s.ready.pop()
		s.begin(b, row)
	}
}

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
