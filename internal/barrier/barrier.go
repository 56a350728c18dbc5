// Package barrier waits for what is on its way to a connection.
package barrier

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

// Wait returns once the server has done all that the connection has sent, and once every
// message that the server had sent by then was handed to its subscription's function. So
// after a drained subscription's Wait, no message of it is left. It fails if that takes
// longer than most, and at once while the connection is away. It must not be called by such a function.
func Wait(nc *nats.Conn, most time.Duration) error {
	if !nc.IsConnected() {
		return errors.New("wait for the server: not connected")
	}
	ctx, cancel := context.WithTimeout(context.Background(), most)
	defer cancel()
	if err := nc.FlushWithContext(ctx); err != nil {
		return fmt.Errorf("wait for the server: %w", err)
	}
	handed := make(chan struct{})
	if err := nc.Barrier(func() { close(handed) }); err != nil {
		return fmt.Errorf("wait for messages: %w", err)
	}
	select {
	case <-handed:
		return nil
	case <-ctx.Done():
		return errors.New("wait for messages: a function holds them up")
	}
}
