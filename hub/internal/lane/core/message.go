package core

import (
	"errors"

	"github.com/replhub/replhub/hub/internal/event"
)

// Message is a message to append. The copies of an event share their headers.
type Message struct {
	Subject string
	Header  *event.Header
	Data    []byte
}

var errTooLarge = errors.New("the event with the hub's headers exceeds the server's max_payload or its 64 KiB for headers")

const (
	// headerLine is the number of bytes that the server counts before the first
	// header.
	headerLine = len("NATS/1.0\r\n\r\n")
	// expectRoom is the room for the header of the expected sequence, or for the
	// headers of an atomic batch (id, sequence, commit).
	expectRoom = 192
	// maxHeaderBytes is the server's limit for the headers of a stored message.
	maxHeaderBytes = 1<<16 - 1
)

// Size is the number of bytes of headers and payload on the wire.
func (m Message) Size() int { return m.headerSize() + len(m.Data) }

func (m Message) headerSize() int { return headerLine + expectRoom + m.Header.Size }

// TooLarge reports whether the server would refuse the message.
func (m Message) TooLarge(maxPayload int) bool {
	return m.Size() > maxPayload || m.headerSize() > maxHeaderBytes
}
