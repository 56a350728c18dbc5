package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/console/view"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

const (
	// maxTails bounds the live tails that are open at a time.
	maxTails = 10
	// tailEvery is the time between two looks, tailMost how many messages one look
	// shows: a tail costs the same at any rate of events.
	tailEvery = 500 * time.Millisecond
	tailMost  = 10
	// tailTime bounds one write to a browser.
	tailTime = 10 * time.Second
)

// tails counts the open live tails.
type tails struct {
	mu   sync.Mutex // guards room
	room int
}

func (t *tails) enter() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.room == 0 {
		return false
	}
	t.room--
	return true
}

func (t *tails) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.room++
}

// tailView is the page of the live tail.
type tailView struct {
	Service, Entity string
	Shown           bool
	Stream          string
}

func (c *Console) tail(w http.ResponseWriter, r *http.Request) {
	page := tailView{Service: r.FormValue("service"), Entity: r.FormValue("entity"), Shown: c.shows(r)}
	c.render(w, r, "tail", page)
}

// tailed is what a live tail follows: a subject of a stream.
type tailed struct {
	stream, subject string
}

// tailedOf reads what a request wants to follow: ingest or a lane, of one entity or all.
func tailedOf(r *http.Request) (tailed, error) {
	entity := "*"
	if text := r.FormValue("entity"); text != "" {
		name, err := subjects.ParseName(text)
		if err != nil {
			return tailed{}, fmt.Errorf("entity: %w", err)
		}
		entity = name.String()
	}
	text := r.FormValue("service")
	if text == "" {
		return tailed{contract.StreamIngest, "db." + entity + ".*"}, nil
	}
	service, err := subjects.ParseName(text)
	if err != nil {
		return tailed{}, fmt.Errorf("service: %w", err)
	}
	return tailed{subjects.LaneStream(service), "sub." + service.String() + "." + entity + ".*.*"}, nil
}

// tailLine is one message, as a browser gets it.
type tailLine struct {
	Seq     uint64 `json:"seq"`
	Time    string `json:"time"`
	Subject string `json:"subject"`
	Key     string `json:"key,omitempty"`
	Bytes   int    `json:"bytes"`
	Payload string `json:"payload,omitempty"`
}

// tailBatch is what one look found. LeftOut is how many messages of the stream, wanted or
// not, were not looked at.
type tailBatch struct {
	Lines   []tailLine `json:"lines"`
	LeftOut uint64     `json:"left_out"`
	Last    uint64     `json:"last"`
}

// tailStream sends what arrives in a stream, as server-sent events, until the browser
// goes.
func (c *Console) tailStream(w http.ResponseWriter, r *http.Request) {
	want, err := tailedOf(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if !c.tails.enter() {
		http.Error(w, "too many live tails are open; close one", http.StatusServiceUnavailable)
		return
	}
	defer c.tails.leave()
	wire := http.NewResponseController(w)
	// The server bounds a request; this one lasts.
	if err := errors.Join(wire.SetReadDeadline(time.Time{}), wire.SetWriteDeadline(time.Now().Add(tailTime))); err != nil {
		http.Error(w, "this connection cannot be followed", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	tick := time.NewTicker(tailEvery)
	defer tick.Stop()
	for next := uint64(0); ; {
		batch, err := c.look(r.Context(), want, &next, c.shows(r))
		if err := wire.SetWriteDeadline(time.Now().Add(tailTime)); err != nil {
			return
		}
		if err := send(w, wire, batch, err); err != nil {
			return // the browser has gone
		}
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		}
	}
}

func send(w http.ResponseWriter, wire *http.ResponseController, batch tailBatch, trouble error) error {
	name, body := "batch", any(batch)
	if trouble != nil {
		name, body = "trouble", trouble.Error()
	}
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, "event: %s\ndata: %s\n\n", name, data); err != nil {
		return err
	}
	return wire.Flush()
}

// look reads the first few messages behind the ones that were seen, and passes over the
// others. next is where it goes on; at first it is the end of the stream.
func (c *Console) look(ctx context.Context, want tailed, next *uint64, shown bool) (tailBatch, error) {
	batch := tailBatch{Lines: []tailLine{}}
	stream, err := c.cfg.Source().JS.Stream(ctx, want.stream)
	if err != nil {
		return batch, fmt.Errorf("look up stream %q: %w", want.stream, err)
	}
	last := stream.CachedInfo().State.LastSeq
	batch.Last = last
	if *next == 0 || *next > last+1 { // it was created again
		*next = last + 1
	}
	for len(batch.Lines) < tailMost && *next <= last {
		m, err := stream.GetMsg(ctx, *next, jetstream.WithGetMsgSubject(want.subject))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			*next = last + 1
			return batch, nil
		}
		if err != nil {
			return batch, fmt.Errorf("read stream %q: %w", want.stream, err)
		}
		if m.Sequence > last {
			return batch, nil // it comes with the next look
		}
		*next = m.Sequence + 1
		batch.Lines = append(batch.Lines, c.tailLine(m, want, shown))
	}
	batch.LeftOut = last + 1 - *next
	*next = last + 1
	return batch, nil
}

func (c *Console) tailLine(m *jetstream.RawStreamMsg, want tailed, shown bool) tailLine {
	line := tailLine{Seq: m.Sequence, Time: m.Time.UTC().Format("15:04:05.000"), Subject: m.Subject, Key: m.Header.Get(contract.HeaderKey), Bytes: len(m.Data)}
	if want.stream == contract.StreamIngest {
		e := c.decode(m.Sequence, m.Time, m.Subject, m.Header, m.Data)
		if e == nil {
			return line // erased
		}
		line.Key = e.Key
	}
	if shown {
		line.Payload = view.Payload(m.Data)
	}
	return line
}
