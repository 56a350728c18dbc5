package hubstream

import (
	"errors"

	"github.com/nats-io/nats.go/jetstream"
)

// codeStoreFailed is the server's answer when a stream's limit refuses a
// message (nats-server, JSStreamStoreFailedF).
const codeStoreFailed jetstream.ErrorCode = 10077

// WrongSequence reports whether an append was refused because the stream's
// last sequence is not the expected one; replicated streams answer with a code
// of their own.
func WrongSequence(err error) bool {
	apiErr, ok := errors.AsType[*jetstream.APIError](err)
	return ok && (apiErr.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence ||
		apiErr.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}

// Full reports whether a stream refused a message because of its limit, and not
// because the server's disk is full.
func Full(err error) bool {
	apiErr, ok := errors.AsType[*jetstream.APIError](err)
	return ok && apiErr.ErrorCode == codeStoreFailed && !saysDisk(err)
}
