package model

import "fmt"

// Codes of the server's errors (nats-server, errors.json).
const (
	CodeConsumerNotFound = 10014
	CodeMessageNotFound  = 10037
	CodeStreamNotFound   = 10059
	CodeWrongLast        = 10071
	CodeStoreFailed      = 10077
	CodeConsumerExists   = 10148
	CodeDuplicateInBatch = 10201
	// CodeBatchOver is the model's own, for a message behind the end of a batch, which
	// the server does not answer.
	CodeBatchOver = -1
)

// Error is a refusal, with the server's code.
type Error struct {
	Code int
	// Last is the sequence that the server tells with CodeWrongLast.
	Last uint64
}

// Error implements error.
func (e *Error) Error() string {
	if e.Code == CodeWrongLast {
		return fmt.Sprintf("error %d: wrong last sequence: %d", e.Code, e.Last)
	}
	return fmt.Sprintf("error %d", e.Code)
}
