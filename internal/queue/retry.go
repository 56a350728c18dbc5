package queue

import (
	"container/heap"
	"time"
)

// retries is a heap of jobs by the time of their next attempt, then in the order of
// the lane.
type retries []*Job

// Len implements heap.Interface.
func (r *retries) Len() int { return len(*r) }

// Less implements heap.Interface.
func (r *retries) Less(i, j int) bool {
	a, b := (*r)[i], (*r)[j]
	if order := a.due.Compare(b.due); order != 0 {
		return order < 0
	}
	return a.Seq < b.Seq
}

// Swap implements heap.Interface.
func (r *retries) Swap(i, j int) { (*r)[i], (*r)[j] = (*r)[j], (*r)[i] }

// Push implements heap.Interface.
func (r *retries) Push(x any) {
	*r = append(*r, x.(*Job)) //nolint:forcetypeassert // only jobs are pushed
}

// Pop implements heap.Interface.
func (r *retries) Pop() any {
	old := *r
	j := old[len(old)-1]
	old[len(old)-1] = nil
	*r = old[:len(old)-1]
	return j
}

// retry lets a job and its row wait for the job's next attempt. Meanwhile these jobs do
// not count against the window: a row that fails must not keep others out.
func (s *Scheduler) retry(j *Job, due time.Time) {
	s.stopped(j)
	j.src.settledInherited(j)
	s.delay(j, due)
}

// delay lets a job that does not run wait.
func (s *Scheduler) delay(j *Job, due time.Time) {
	j.state, j.due = jobWaiting, due
	j.blockFrom()
	heap.Push(&s.retries, j)
	if s.retries[0] == j {
		s.reschedule()
	}
}

// revive makes the jobs ready whose time has come.
func (s *Scheduler) revive() {
	for j := s.retries.next(); j != nil && !j.due.After(s.now); j = s.retries.next() {
		heap.Pop(&s.retries)
		j.unblockRow()
		s.offer(j)
	}
}

// next returns the job whose time comes first; nil for none.
func (r *retries) next() *Job {
	for len(*r) > 0 {
		if j := (*r)[0]; j.state != jobDiscarded {
			return j
		}
		heap.Pop(r)
	}
	return nil
}
