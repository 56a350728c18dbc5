package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/push"
)

// pushDryRun shows the request of an example event of each entity. It connects neither to
// NATS nor to the endpoint, so it registers nothing and acknowledges nothing.
func (a *app) pushDryRun(ctx context.Context, service string, f *pushFlags) error {
	cfg := f.cfg
	cfg.Service = service
	entities := f.entities
	if len(entities) == 0 {
		entities = []string{"user"} // without --entity what is registered counts, which only the hub knows
	}
	for n, entity := range entities {
		req, err := push.Preview(ctx, cfg, exampleDelivery(service, entity))
		if err != nil {
			return err
		}
		if err := a.showRequest(req, n); err != nil {
			return err
		}
	}
	return nil
}

// exampleDelivery is an event with everything that becomes a header.
func exampleDelivery(service, entity string) *replhub.Delivery {
	return &replhub.Delivery{
		Service: service, Entity: entity, Op: replhub.Update, Key: "42", ID: "example", Position: replhub.Position{Epoch: 1, Seq: 1042},
		Version: 7, Time: time.Now().UTC().Truncate(time.Second), Origin: "owner", Attempt: 1,
		Data: []byte(`{"id":"42","name":"example"}`), ContentType: "application/json",
	}
}

// previewReply is the JSON of a request.
type previewReply struct {
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
}

func (a *app) showRequest(req *http.Request, n int) error {
	if a.json {
		a.lines = true // a request a line
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return fmt.Errorf("read the example: %w", err)
		}
		reply := previewReply{Method: req.Method, URL: req.URL.String(), Headers: map[string]string{}, Body: string(body)}
		for name := range req.Header {
			reply.Headers[name] = req.Header.Get(name)
		}
		return a.printValue(reply)
	}
	var text strings.Builder
	if err := req.Write(&text); err != nil {
		return fmt.Errorf("show the request: %w", err)
	}
	if n > 0 {
		if _, err := fmt.Fprintln(a.out); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(a.out, "%s\n", printableLines(strings.ReplaceAll(text.String(), "\r\n", "\n")))
	return err
}
