package hubstream

import (
	"context"
	"errors"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// ErrKeepsMessages means that a stream refuses to delete single messages: it was created
// with deny_delete, as the hub did in earlier versions, and the server never lets go of
// that setting.
var ErrKeepsMessages = errors.New("the stream was created with deny_delete, which NATS does not let anybody change")

// Erase deletes one message, and has the server overwrite it with random data. It
// succeeds if the message is already gone.
func Erase(ctx context.Context, s jetstream.Stream, seq uint64) error {
	if s.CachedInfo().Config.DenyDelete {
		return ErrKeepsMessages
	}
	err := s.SecureDeleteMsg(ctx, seq)
	if err == nil {
		return nil
	}
	if api, ok := errors.AsType[*jetstream.APIError](err); ok && strings.Contains(api.Description, "not permitted") {
		return ErrKeepsMessages
	}
	// The server has no code of its own for a message that somebody else has deleted.
	if _, gone := s.GetMsg(ctx, seq); errors.Is(gone, jetstream.ErrMsgNotFound) {
		return nil
	}
	return err
}
