package outbox

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Listen calls wake whenever something was sent to the channel, once when it
// begins to listen as well, until ctx ends or it cannot go on; the relay then
// calls it again. wake never blocks.
type Listen func(ctx context.Context, channel string, wake func()) error

// PgxConn is what ListenPgx needs of a *pgx.Conn; R and N stand for pgx's
// result and notification.
type PgxConn[R, N any] interface {
	Exec(ctx context.Context, sql string, arguments ...any) (R, error)
	WaitForNotification(ctx context.Context) (N, error)
	Close(ctx context.Context) error
}

// ListenPgx makes a Listen of connections of its own, one at a time, that
// connect makes and the Listen closes:
//
//	outbox.ListenPgx(func(ctx context.Context) (*pgx.Conn, error) { return pgx.Connect(ctx, dsn) })
//
// A pooler that lends connections by transaction (PgBouncer) passes no
// notifications on: connect past it, or leave Listen out.
func ListenPgx[C PgxConn[R, N], R, N any](connect func(ctx context.Context) (C, error)) Listen {
	return func(ctx context.Context, channel string, wake func()) (err error) {
		conn, err := connect(ctx)
		if err != nil {
			return fmt.Errorf("connect: %w", err)
		}
		defer func() {
			closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			// A wait that its context ended has broken the connection already.
			if closeErr := conn.Close(closing); ctx.Err() == nil {
				err = errors.Join(err, closeErr)
			}
		}()
		if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
			return fmt.Errorf("listen: %w", err)
		}
		for wake(); ; wake() {
			if _, err := conn.WaitForNotification(ctx); err != nil {
				return fmt.Errorf("wait for a notification: %w", err)
			}
		}
	}
}

// listen keeps listening until ctx ends. Without it the relay polls.
func (r *Relay) listen(ctx context.Context) {
	trouble := episode{log: r.cfg.Logger, began: "outbox relay cannot listen, and polls meanwhile", ended: "outbox relay listens again"}
	for ctx.Err() == nil {
		err := r.cfg.Listen(ctx, channel(r.box.cfg.Table), func() {
			trouble.over()
			r.Wake()
		})
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = errors.New("it ended by itself")
		}
		r.sleep(ctx, r.backoff(trouble.failed(err)), nil)
	}
}
