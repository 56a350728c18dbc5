package deadletter

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/s2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/internal/jsapi"
)

const (
	// snapshotChunk and snapshotWindow are the server's defaults (nats-server
	// 2.15.2, jetstream_api.go): bytes a message, and bytes unacknowledged.
	snapshotChunk  = 128 << 10
	snapshotWindow = 8 << 20
	// maxEntry bounds what is read of one consumer: far more than the pending
	// messages that a server keeps by default.
	maxEntry = 64 << 20
	// archiveMagic begins a backup, consumersFolder the name of an entry that
	// is a consumer's.
	archiveMagic    = "NATSARC1"
	consumersFolder = "consumers/"
)

// inspect returns the states of a stream's consumers by their names. It reads them from
// the front of a backup that the server makes. The messages behind them stay unread: the
// server stops when the subscription ends.
func inspect(ctx context.Context, js jetstream.JetStream, stream string) (map[string]*consumerState, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	chunks, err := requestSnapshot(ctx, js, stream)
	if err != nil {
		return nil, fmt.Errorf("back up %s: %w", stream, err)
	}
	defer func() { _ = chunks.Unsubscribe() }()
	reader, writer := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		writer.CloseWithError(receive(ctx, chunks, writer))
	}()
	states, err := readConsumerStates(reader)
	reader.CloseWithError(io.ErrClosedPipe)
	cancel()
	<-done
	if err != nil {
		return nil, fmt.Errorf("back up %s: %w", stream, err)
	}
	return states, nil
}

func requestSnapshot(ctx context.Context, js jetstream.JetStream, stream string) (*nats.Subscription, error) {
	nc := js.Conn()
	inbox := nc.NewInbox()
	chunks, err := nc.SubscribeSync(inbox)
	if err != nil {
		return nil, err
	}
	request, err := json.Marshal(map[string]any{
		"deliver_subject": inbox, "chunk_size": snapshotChunk, "window_size": snapshotWindow,
	})
	if err != nil {
		return nil, err
	}
	reply, err := nc.RequestWithContext(ctx, jsapi.Prefix(js.Options())+"STREAM.SNAPSHOT."+stream, request)
	if err == nil {
		var answer struct {
			Error *jetstream.APIError `json:"error"`
		}
		if err = json.Unmarshal(reply.Data, &answer); err == nil && answer.Error != nil {
			err = answer.Error
		}
	}
	if err != nil {
		_ = chunks.Unsubscribe()
		return nil, err
	}
	return chunks, nil
}

// receive passes a backup's chunks on and acknowledges them, until the empty
// message at its end.
func receive(ctx context.Context, chunks *nats.Subscription, w io.Writer) error {
	for {
		m, err := chunks.NextMsgWithContext(ctx)
		if err != nil {
			return err
		}
		if len(m.Data) == 0 {
			if status := m.Header.Get("Status"); status != "" && status != "204" {
				return fmt.Errorf("the server gave up: %s %s", status, m.Header.Get("Description"))
			}
			return nil
		}
		if _, err := w.Write(m.Data); err != nil {
			return err
		}
		if m.Reply == "" {
			continue
		}
		if err := m.Respond(nil); err != nil {
			return err
		}
	}
}

// errBackup means that the backup has a form that this hub does not know.
var errBackup = errors.New("not a backup that this hub can read")

// readConsumerStates takes the consumers' states off the front of a backup, up
// to the first message: S2 over archiveMagic and entries, each the length of
// its name, time, sequence and two sizes as varints, then the name, then as
// many bytes as the sizes say (nats-server 2.15.2, server/archive).
func readConsumerStates(r io.Reader) (map[string]*consumerState, error) {
	in := bufio.NewReader(s2.NewReader(r))
	magic := make([]byte, len(archiveMagic))
	if _, err := io.ReadFull(in, magic); err != nil {
		return nil, fmt.Errorf("%w: %w", errBackup, err)
	}
	if string(magic) != archiveMagic {
		return nil, errBackup
	}
	states := make(map[string]*consumerState)
	for {
		name, data, err := readEntry(in)
		if errors.Is(err, io.EOF) || (err == nil && data == nil) {
			return states, nil
		}
		if err != nil {
			return nil, err
		}
		consumer, ok := strings.CutPrefix(name, consumersFolder)
		if !ok {
			continue
		}
		if states[consumer], err = decodeConsumerState(data); err != nil {
			return nil, err
		}
	}
}

// readEntry reads an entry; data is nil for a message, where reading ends.
func readEntry(in *bufio.Reader) (name string, data []byte, err error) {
	length, err := binary.ReadUvarint(in)
	if err != nil {
		return "", nil, err // io.EOF between entries is the end
	}
	_, errTime := binary.ReadVarint(in)
	seq, errSeq := binary.ReadUvarint(in)
	headers, errHeaders := binary.ReadUvarint(in)
	payload, errPayload := binary.ReadUvarint(in)
	if err := errors.Join(errTime, errSeq, errHeaders, errPayload); err != nil {
		return "", nil, fmt.Errorf("%w: it ends early", errBackup)
	}
	if seq > 0 {
		return "", nil, nil
	}
	if length > maxEntry || headers > maxEntry || payload > maxEntry {
		return "", nil, fmt.Errorf("%w: an entry of %d bytes", errBackup, payload)
	}
	entry := make([]byte, length+headers+payload)
	if _, err := io.ReadFull(in, entry); err != nil {
		return "", nil, fmt.Errorf("%w: it ends early", errBackup)
	}
	return string(entry[:length]), entry[length+headers:], nil
}
