package replhub

import (
	"context"
	"encoding/json"
	"fmt"
)

// Codec decodes payloads of one format.
type Codec interface {
	// Decode decodes data into v, a pointer.
	Decode(data []byte, v any) error
}

// CodecFunc is a function as a Codec, such as json.Unmarshal.
type CodecFunc func(data []byte, v any) error

// Decode calls f.
func (f CodecFunc) Decode(data []byte, v any) error { return f(data, v) }

// JSON makes a handler of payloads that are JSON. A payload that is not becomes
// a dead letter at once: another attempt would not help. A delete whose payload
// is empty brings the zero T; its key is in the delivery.
func JSON[T any](handle func(ctx context.Context, d *Delivery, value T) error) Handler {
	return Decode(CodecFunc(json.Unmarshal), handle)
}

// Decode makes a handler of payloads that a codec decodes, with what JSON says
// of payloads that cannot be decoded.
func Decode[T any](codec Codec, handle func(ctx context.Context, d *Delivery, value T) error) Handler {
	return HandlerFunc(func(ctx context.Context, d *Delivery) error {
		var value T
		if len(d.Data) == 0 && d.Op == Delete {
			return handle(ctx, d, value)
		}
		if err := codec.Decode(d.Data, &value); err != nil {
			return Park(fmt.Errorf("decode the payload: %w", err))
		}
		return handle(ctx, d, value)
	})
}
