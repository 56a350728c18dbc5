package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/replhub/replhub/internal/captured"
)

// clockEvery is the number of messages between two looks at the clock.
const clockEvery = 256

// stream is the replication connection of a slot. One goroutine reads it and replies.
type stream struct {
	conn     net.Conn
	frontend *pgproto3.Frontend
	decoder  *decoder
	queue    *queue
	// confirmed is how far the slot may be confirmed: the writer sets it.
	confirmed *atomic.Uint64
	// start is where the slot stood: it is not moved on before the log is proven.
	start captured.LSN
	// end is the end of the server's log, as far as it has told.
	end     uint64
	status  *status
	replied time.Time
	// replyEvery is the longest time between two replies.
	replyEvery time.Duration
}

// startStream begins the replication of a slot at an LSN. The connection, which has the
// parameter "replication", is the stream's from then on.
func startStream(ctx context.Context, conn *pgconn.PgConn, slot, publication string, from captured.LSN) (*stream, error) {
	args := []string{"proto_version '1'", fmt.Sprintf("publication_names '%s'", quoteName(publication)), "messages 'true'"}
	err := pglogrepl.StartReplication(ctx, conn, slot, pglogrepl.LSN(from), pglogrepl.StartReplicationOptions{PluginArgs: args})
	if err != nil {
		return nil, fmt.Errorf("start the replication of slot %s: %w", slot, err)
	}
	raw, err := conn.Hijack()
	if err != nil {
		return nil, fmt.Errorf("start the replication of slot %s: %w", slot, err)
	}
	return &stream{conn: raw.Conn, frontend: raw.Frontend}, nil
}

// run reads the stream until an error, or until ctx ends. While the queue is full it
// does not read, and goes on replying.
func (s *stream) run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = s.conn.SetDeadline(time.Unix(1, 0)) }) // ends a read or a write that waits
	defer stop()
	for n := 0; ; n++ {
		if n%clockEvery == 0 {
			if err := s.tick(ctx, false); err != nil {
				return err
			}
		}
		msg, err := s.frontend.Receive()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			n = -1
			continue
		}
		if err != nil {
			return fmt.Errorf("read the replication stream: %w", err)
		}
		if err := s.take(ctx, msg); err != nil {
			return err
		}
		if err := s.awaitRoom(ctx); err != nil {
			return err
		}
	}
}

// tick replies if that is due, and sets the time of the next reply.
func (s *stream) tick(ctx context.Context, now bool) error {
	if now || time.Since(s.replied) >= s.replyEvery {
		if err := s.reply(); err != nil {
			return err
		}
		s.status.change(func(now *Status) { now.End = captured.LSN(s.end) })
	}
	if err := s.conn.SetReadDeadline(s.replied.Add(s.replyEvery)); err != nil {
		return fmt.Errorf("read the replication stream: %w", err)
	}
	if ctx.Err() != nil { // the deadline just set would hide the one that ends the read
		return context.Cause(ctx)
	}
	return nil
}

// reply tells the server how far the slot is confirmed.
func (s *stream) reply() error {
	at := pglogrepl.LSN(s.confirmed.Load())
	if s.decoder.proof.open() {
		at = pglogrepl.LSN(s.start)
	}
	data := make([]byte, 0, 34)
	data = append(data, pglogrepl.StandbyStatusUpdateByteID)
	for _, lsn := range []pglogrepl.LSN{at, at, at} { // written, flushed, applied
		data = appendUint64(data, uint64(lsn))
	}
	const secondsTo2000 = 946684800
	data = appendUint64(data, uint64(time.Now().UnixMicro()-secondsTo2000*1e6))
	data = append(data, 0)
	encoded, err := (&pgproto3.CopyData{Data: data}).Encode(nil)
	if err == nil {
		err = s.frontend.SendUnbufferedEncodedCopyData(encoded)
	}
	if err != nil {
		return fmt.Errorf("reply to the replication stream: %w", err)
	}
	s.replied = time.Now()
	return nil
}

func appendUint64(dst []byte, n uint64) []byte {
	for shift := 56; shift >= 0; shift -= 8 {
		dst = append(dst, byte(n>>shift))
	}
	return dst
}

// awaitRoom waits until the queue has room, and goes on replying meanwhile.
func (s *stream) awaitRoom(ctx context.Context) error {
	for !s.queue.open() {
		select {
		case <-s.queue.room:
		case <-time.After(s.replyEvery / 2):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if err := s.tick(ctx, false); err != nil {
			return err
		}
	}
	return nil
}

// take handles one message.
func (s *stream) take(ctx context.Context, msg pgproto3.BackendMessage) error {
	switch msg := msg.(type) {
	case *pgproto3.CopyData:
		return s.copied(ctx, msg.Data)
	case *pgproto3.ErrorResponse:
		return fmt.Errorf("the replication stream ended: %w", pgconn.ErrorResponseToPgError(msg))
	case *pgproto3.CopyDone, *pgproto3.CommandComplete, *pgproto3.ReadyForQuery:
		return errors.New("the server has ended the replication stream")
	default: // notices, parameters
		return nil
	}
}

func (s *stream) copied(ctx context.Context, data []byte) error {
	w := words{rest: data}
	switch w.byte() {
	case pglogrepl.XLogDataByteID:
		start, end := w.uint64(), w.uint64()
		w.uint64() // the server's clock
		if w.short {
			return errShort
		}
		s.reached(end)
		return s.decoder.message(ctx, captured.LSN(start), w.rest)
	case pglogrepl.PrimaryKeepaliveMessageByteID:
		end := w.uint64()
		w.uint64() // the server's clock
		replyNow := w.byte() == 1
		if w.short {
			return errShort
		}
		s.reached(end)
		if err := s.decoder.idle(captured.LSN(end)); err != nil {
			return err
		}
		if replyNow {
			return s.tick(ctx, true)
		}
	}
	return nil
}

func (s *stream) reached(end uint64) {
	s.end = max(s.end, end)
}

// close ends the connection. The last reply spares the next session what is stored, and
// the proof of the log.
func (s *stream) close() {
	if s.confirmed != nil {
		// A connection that is broken takes no reply, and the next session does without.
		_ = s.conn.SetDeadline(time.Now().Add(closeTime))
		_ = s.reply()
	}
	_ = s.conn.Close() // the server notices, and frees the slot
}
