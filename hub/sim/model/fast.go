package model

import "time"

// Fast is a fast-ingest batch of the kind that ends at its first refusal ("gap:
// fail"). The server takes its messages one by one as they arrive, so a prefix of
// the batch is stored, and answers when the batch ends.
type Fast struct {
	stream *Stream
	stored uint64
	over   bool
}

// OpenFast begins a batch.
func (s *Stream) OpenFast() *Fast { return &Fast{stream: s} }

// Add has the next message of the batch arrive. An error ends the batch; what was
// stored before stays.
func (f *Fast) Add(p Publish, now time.Time) error {
	if f.over {
		return &Error{Code: CodeBatchOver}
	}
	if _, err := f.stream.Publish(p, now); err != nil {
		f.over = true
		return err
	}
	f.stored++
	return nil
}

// Gap is a message of the batch that was lost on the way: the server ends the batch
// at the next that arrives.
func (f *Fast) Gap() { f.over = true }

// Stored is how many messages were stored, the first of the batch.
func (f *Fast) Stored() uint64 { return f.stored }
