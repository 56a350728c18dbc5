package hubstream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// ErrDisk means that nats-server cannot write to its disk. The server does not report
// that: a message that it could not store gets no answer (nats-server 2.15,
// stream.go, processJetStreamMsgLocked), and from then on it refuses to store
// anything in that stream, also when there is room again, until it is restarted.
var ErrDisk = errors.New("nats-server cannot write to its disk, and does not try again until it is restarted: restart nats-server after freeing space")

// The server's codes for a lack of room, and for batches that were never ended.
const (
	codeNoResources  jetstream.ErrorCode = 10023
	codeManyInFlight jetstream.ErrorCode = 10211 // batches that were never ended
	noSpace                              = "no space left on device"
)

// noSubject is a subject that none of the hub's streams takes.
const noSubject = "replhub._none"

// writeErrorTime bounds the request that finds a write error.
const writeErrorTime = time.Second

// Diagnose returns err, the outcome of storing a message in a stream, or an ErrDisk
// if the disk is the cause. It asks the server when err is a timeout; it works even
// if ctx has ended.
func Diagnose(ctx context.Context, js jetstream.JetStream, stream string, err error) error {
	switch {
	case err == nil || errors.Is(err, ErrDisk):
		return err
	case saysDisk(err):
		return fmt.Errorf("%w (%w)", ErrDisk, err)
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled):
		return fmt.Errorf("JetStream is switched off on the server, as it is when its disk is full or may not be written to: free space and restart nats-server: %w", err)
	case !unanswered(err):
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeErrorTime)
	defer cancel()
	if cause := WriteError(ctx, js, stream); cause != nil {
		return cause
	}
	return err
}

// WriteError returns an ErrDisk when the server no longer stores messages in a
// stream; nil when it does, or when that is unknown. It asks for a purge of messages
// that cannot be there, which the server refuses for a write error before it looks
// for them.
func WriteError(ctx context.Context, js jetstream.JetStream, stream string) error {
	s, err := js.Stream(ctx, stream)
	if err == nil {
		err = s.Purge(ctx, jetstream.WithPurgeSubject(noSubject))
	}
	api, ok := errors.AsType[*jetstream.APIError](err)
	if !ok || !saysDisk(err) && !strings.Contains(api.Description, "write ") {
		return nil
	}
	return fmt.Errorf("%w (stream %s: %s)", ErrDisk, stream, api.Description)
}

// saysDisk reports whether an answer of the server's names the disk.
func saysDisk(err error) bool {
	api, ok := errors.AsType[*jetstream.APIError](err)
	return ok && (api.ErrorCode == codeNoResources || strings.Contains(api.Description, noSpace))
}

func unanswered(err error) bool {
	api, ok := errors.AsType[*jetstream.APIError](err)
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrTimeout) || ok && api.ErrorCode == codeManyInFlight
}
