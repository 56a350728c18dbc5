package queue

// fifo is a first-in, first-out queue of jobs.
type fifo struct {
	jobs []*Job
	head int
}

func (q *fifo) empty() bool { return q.head == len(q.jobs) }

func (q *fifo) len() int { return len(q.jobs) - q.head }

// pushFront puts jobs before all others.
func (q *fifo) pushFront(jobs []*Job) {
	q.jobs, q.head = append(jobs, q.jobs[q.head:]...), 0
}

func (q *fifo) push(j *Job) {
	if q.head > 1024 && q.head*2 > len(q.jobs) {
		n := copy(q.jobs, q.jobs[q.head:])
		clear(q.jobs[n:])
		q.jobs, q.head = q.jobs[:n], 0
	}
	q.jobs = append(q.jobs, j)
}

func (q *fifo) pop() *Job {
	j := q.jobs[q.head]
	q.jobs[q.head] = nil
	q.head++
	if q.empty() {
		q.jobs, q.head = q.jobs[:0], 0
	}
	return j
}

// peek returns the first job that is not discarded; nil for none.
func (q *fifo) peek() *Job {
	for !q.empty() {
		if j := q.jobs[q.head]; j.state != jobDiscarded {
			return j
		}
		q.pop()
	}
	return nil
}
