package queue

import (
	"strconv"
	"testing"
	"time"
)

// BenchmarkEvent is what the scheduler costs for an event that is delivered, begun and
// done: beside it the driver takes its lock twice.
func BenchmarkEvent(b *testing.B) {
	now := time.Unix(1, 0)
	s := New(now, Config{Workers: 16, MaxInFlight: 1000, MaxBatch: 1, MaxAttempts: 10, AckWait: time.Hour})
	src := s.Open(now, time.Time{})
	rows := make([]Row, 1000)
	for i := range rows {
		rows[i] = Row{"user", strconv.Itoa(i)}
	}
	jobs := make([]Job, 1024)
	var batch Batch
	b.ReportAllocs()
	for n := uint64(1); b.Loop(); n++ {
		j := &jobs[n%uint64(len(jobs))]
		*j = Job{Row: rows[n%uint64(len(rows))], Seq: n, Delivered: 1}
		s.Delivered(now, src, j, Place{Epoch: 1, Seq: n})
		s.Take(now, &batch)
		batch.Begin()
		batch.Conclude(0, Verdict{Kind: Finished, Evidence: WasHandled})
		s.Done(now, &batch)
		s.Ready()
	}
}
