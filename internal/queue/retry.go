package queue

import (
	"container/heap"
	"time"
)

// retries are the jobs that wait for their next attempt. A waiting job and its row do
// not count against the window: a row that fails must not keep others out.
type retries struct {
	env  *env
	rows *rows
	jobs dueHeap
}

// add lets a job that does not run wait.
func (r *retries) add(j *Job, due time.Time) {
	j.state, j.due = jobWaiting, due
	j.blockFrom()
	heap.Push(&r.jobs, j)
	if r.jobs[0] == j {
		r.env.reschedule()
	}
}

// revive makes the jobs ready whose time has come.
func (r *retries) revive() {
	for j := r.next(); j != nil && !j.due.After(r.env.now); j = r.next() {
		heap.Pop(&r.jobs)
		j.unblockRow()
		r.rows.offer(j)
	}
}

// next returns the job whose time comes first; nil for none.
func (r *retries) next() *Job {
	for len(r.jobs) > 0 {
		if j := r.jobs[0]; j.state != jobDiscarded {
			return j
		}
		heap.Pop(&r.jobs)
	}
	return nil
}

// dueHeap is a heap of jobs by the time of their next attempt, then in the order of
// the lane.
type dueHeap []*Job

// Len implements heap.Interface.
func (h *dueHeap) Len() int { return len(*h) }

// Less implements heap.Interface.
func (h *dueHeap) Less(i, j int) bool {
	a, b := (*h)[i], (*h)[j]
	if order := a.due.Compare(b.due); order != 0 {
		return order < 0
	}
	return a.Seq < b.Seq
}

// Swap implements heap.Interface.
func (h *dueHeap) Swap(i, j int) { (*h)[i], (*h)[j] = (*h)[j], (*h)[i] }

// Push implements heap.Interface.
func (h *dueHeap) Push(x any) {
	*h = append(*h, x.(*Job)) //nolint:forcetypeassert // only jobs are pushed
}

// Pop implements heap.Interface.
func (h *dueHeap) Pop() any {
	old := *h
	j := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return j
}
