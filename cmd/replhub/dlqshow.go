package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"
)

// letter is a dead letter as --json prints it. Of the payload forms one is set:
// JSON as it is, else text, else base64; none when the letter has no payload.
type letter struct {
	Seq           uint64              `json:"seq"`
	Subject       string              `json:"subject"`
	Time          time.Time           `json:"time"`
	Headers       map[string][]string `json:"headers"`
	Payload       json.RawMessage     `json:"payload,omitempty"`
	PayloadText   string              `json:"payload_text,omitempty"`
	PayloadBase64 string              `json:"payload_base64,omitempty"`
}

func newDLQShow(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "show <sequence>",
		Short: "Show a dead letter with its headers and payload",
		Long: `Show a dead letter: the reason, the headers and the payload. The payload is missing
if the event could not be filtered or projected, because it may hold fields that the
service must not see.`,
		Example: `  replhub dlq show 17
  replhub dlq show 17 --json | jq .payload`,
		Args: cobra.ExactArgs(1),
		RunE: a.verb(func(ctx context.Context, args []string) error {
			seqs, err := parseSeqs(args)
			if err != nil {
				return err
			}
			msg, err := a.letter(ctx, seqs[0])
			if err != nil {
				return err
			}
			if a.json {
				return a.printValue(newLetter(msg))
			}
			return showLetter(a.out, msg)
		}),
	}
}

func (a *app) letter(ctx context.Context, seq uint64) (*jetstream.RawStreamMsg, error) {
	l, err := a.connect()
	if err != nil {
		return nil, err
	}
	defer l.close()
	stream, err := l.letters(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	msg, err := stream.GetMsg(ctx, seq)
	if err != nil {
		return nil, noLetter(seq, err)
	}
	return msg, nil
}

func newLetter(msg *jetstream.RawStreamMsg) letter {
	shown := letter{Seq: msg.Sequence, Subject: msg.Subject, Time: msg.Time.UTC(), Headers: msg.Header}
	switch {
	case len(msg.Data) == 0:
	case json.Valid(msg.Data):
		shown.Payload = msg.Data
	case utf8.Valid(msg.Data):
		shown.PayloadText = string(msg.Data)
	default:
		shown.PayloadBase64 = base64.StdEncoding.EncodeToString(msg.Data)
	}
	return shown
}

func showLetter(w io.Writer, msg *jetstream.RawStreamMsg) error {
	t := newTable("letter", count(msg.Sequence))
	t.pair("subject", msg.Subject)
	t.pair("stored", humanTime(msg.Time))
	for _, name := range slices.Sorted(maps.Keys(msg.Header)) {
		t.row(name, strings.Join(msg.Header[name], ", "))
	}
	if err := t.print(w); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%s\n", payloadText(msg.Data))
	return err
}

// payloadText is a payload for the terminal: indented JSON, else quoted text.
func payloadText(payload []byte) string {
	if len(payload) == 0 {
		return "no payload"
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, payload, "", "  "); err == nil {
		return printableLines(indented.String())
	}
	return fmt.Sprintf("%q", payload)
}
