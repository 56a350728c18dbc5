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

// JSON makes a handler whose payloads are decoded from JSON. An event whose payload
// is not valid JSON becomes a dead letter at once, because another attempt would not
// help. A delete with an empty payload gives the zero T; the delivery has its key.
func JSON[T any](handle func(ctx context.Context, d *Delivery, value T) error) Handler {
	return Decode(CodecFunc(json.Unmarshal), handle)
}

// Decode makes a handler whose payloads a codec decodes. Payloads that cannot be
// decoded, and empty ones, are treated as by JSON.
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
