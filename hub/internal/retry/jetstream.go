package retry

import (
	"context"

	"github.com/nats-io/nats.go/jetstream"
)

// JetStream is js with repeated reads of streams and consumers. Calls that change
// something are not repeated: their caller must find out whether they had their
// effect.
func JetStream(js jetstream.JetStream) jetstream.JetStream { return repeated{js} }

type repeated struct{ jetstream.JetStream }

func (r repeated) Stream(ctx context.Context, name string) (jetstream.Stream, error) {
	s, err := Read(ctx, func(ctx context.Context) (jetstream.Stream, error) { return r.JetStream.Stream(ctx, name) })
	if err != nil {
		return nil, err
	}
	return stream{s}, nil
}

func (r repeated) Consumer(ctx context.Context, stream, name string) (jetstream.Consumer, error) {
	return Read(ctx, func(ctx context.Context) (jetstream.Consumer, error) { return r.JetStream.Consumer(ctx, stream, name) })
}

type stream struct{ jetstream.Stream }

func (s stream) Info(ctx context.Context, opts ...jetstream.StreamInfoOpt) (*jetstream.StreamInfo, error) {
	return Read(ctx, func(ctx context.Context) (*jetstream.StreamInfo, error) { return s.Stream.Info(ctx, opts...) })
}

func (s stream) GetMsg(ctx context.Context, seq uint64, opts ...jetstream.GetMsgOpt) (*jetstream.RawStreamMsg, error) {
	return Read(ctx, func(ctx context.Context) (*jetstream.RawStreamMsg, error) { return s.Stream.GetMsg(ctx, seq, opts...) })
}

func (s stream) GetLastMsgForSubject(ctx context.Context, subject string) (*jetstream.RawStreamMsg, error) {
	return Read(ctx, func(ctx context.Context) (*jetstream.RawStreamMsg, error) {
		return s.Stream.GetLastMsgForSubject(ctx, subject)
	})
}

func (s stream) Consumer(ctx context.Context, name string) (jetstream.Consumer, error) {
	return Read(ctx, func(ctx context.Context) (jetstream.Consumer, error) { return s.Stream.Consumer(ctx, name) })
}
