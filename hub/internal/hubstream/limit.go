package hubstream

import (
	"errors"

	"github.com/nats-io/nats.go/jetstream"
)

// The server's codes for limits of an account or of the server itself.
const (
	codeAccountResources jetstream.ErrorCode = 10002
	codeMaxConsumers     jetstream.ErrorCode = 10026
	codeMaxStreams       jetstream.ErrorCode = 10027
	codeAccountStorage   jetstream.ErrorCode = 10028
	codeStorage          jetstream.ErrorCode = 10047
	codeBytesRequired    jetstream.ErrorCode = 10113
	codeMaxAckPending    jetstream.ErrorCode = 10121
	codeMaxStreamBytes   jetstream.ErrorCode = 10122
)

// Limit returns what to do about a request that a limit of the account or of the server
// refused. ok is false for every other error.
func Limit(err error) (advice string, ok bool) {
	api, is := errors.AsType[*jetstream.APIError](err)
	if !is {
		return "", false
	}
	switch api.ErrorCode {
	case codeMaxStreams:
		return "raise max_streams of the account, or drop a service (each has a stream)", true
	case codeMaxConsumers:
		return "raise max_consumers of the account (for each stream), or register fewer partitions: each has a consumer", true
	case codeMaxAckPending:
		return "raise max_ack_pending of the account: a lane's consumer needs 1000", true
	case codeMaxStreamBytes:
		return "raise disk_max_stream_bytes of the account, or lower max_bytes", true
	case codeBytesRequired:
		return "let the account have streams without max_bytes (max_bytes_required), or state one", true
	case codeAccountResources, codeAccountStorage, codeStorage:
		return "raise max_file of the account and of the server, or lower the max_bytes of streams", true
	}
	return "", false
}

// demandsBytes reports whether a stream was refused because its account demands that
// every stream states its bytes, as Synadia Cloud's do.
func demandsBytes(err error) bool {
	api, ok := errors.AsType[*jetstream.APIError](err)
	return ok && api.ErrorCode == codeBytesRequired
}
