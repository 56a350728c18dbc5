package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/console/view"
	"github.com/replhub/replhub/hub/internal/headers"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// maxLetters bounds the dead letters that a page looks at, the oldest first.
const maxLetters = 20_000

// lettersPage is the dead letters in groups.
type lettersPage struct {
	Service string
	Groups  []view.Group
	// Shown are the groups of the page that Pager says.
	Shown []view.Group
	Pager view.Pager
	Count int
	// More says that there are more than a page looks at.
	More bool
}

// groups reads the headers of the dead letters, of all services or of one, and groups
// them.
func (c *Console) groups(ctx context.Context, service string) (page lettersPage, err error) {
	subject := "dlq.>"
	page.Service = service
	if service != "" {
		name, err := subjects.ParseName(service)
		if err != nil {
			return page, contract.Errorf(contract.CodeInvalidName, "%v", err)
		}
		subject = subjects.DeadLetterFilter(name)
	}
	stream, err := c.cfg.Source().JS.Stream(ctx, contract.StreamDLQ)
	if err != nil {
		return page, fmt.Errorf("look up stream %q: %w", contract.StreamDLQ, err)
	}
	var letters []view.Letter
	complete, err := headers.Since(ctx, stream, subject, time.Unix(1, 0), maxLetters, func(e headers.Entry) {
		letters = append(letters, letterOf(e.Seq, e.Time, e.Subject(), e.Headers()))
	})
	page.Groups, page.Count, page.More = view.Groups(letters), len(letters), !complete
	return page, err
}

func letterOf(seq uint64, at time.Time, subject string, h map[string][]string) view.Letter {
	first := func(name string) string {
		if values := h[name]; len(values) > 0 {
			return values[0]
		}
		return ""
	}
	l := view.Letter{
		Seq: seq, Time: at, Service: subject, Key: first(contract.HeaderKey), Reason: first(contract.HeaderReason),
		ErrText: first(contract.HeaderError), Attempts: first(contract.HeaderAttempts),
	}
	// A letter that is not the hub's is shown by its subject rather than hidden.
	if service, entity, op, err := subjects.ParseDeadLetter(subject); err == nil {
		l.Service, l.Entity, l.Op = service.String(), entity.String(), op.String()
	}
	return l
}

func (c *Console) letters(w http.ResponseWriter, r *http.Request) {
	page, err := c.groups(r.Context(), r.FormValue("service"))
	if err != nil {
		c.fail(w, r, statusOf(err), textOf(err))
		return
	}
	at, _ := strconv.Atoi(r.FormValue("page")) // what is no number is the first page
	page.Pager, page.Shown = view.PageOf(page.Groups, at)
	c.render(w, r, "letters", page)
}

// letterPage is one dead letter.
type letterPage struct {
	view.Letter
	Headers []view.Pair
	Size    string
	// Payload is set where it was asked for and may be shown.
	Payload string
	Shown   bool
	// Seq of ingest, for the event's story; empty where the letter does not say.
	Event string
}

func (c *Console) letter(w http.ResponseWriter, r *http.Request) {
	seq, err := strconv.ParseUint(r.PathValue("seq"), 10, 64)
	if err != nil {
		c.notFound(w, r)
		return
	}
	m, err := c.letterAt(r.Context(), seq)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		c.fail(w, r, http.StatusNotFound, "There is no such dead letter: it was redriven or removed.")
		return
	}
	if err != nil {
		c.fail(w, r, statusOf(err), textOf(err))
		return
	}
	page := letterPage{Letter: letterOf(m.Sequence, m.Time, m.Subject, m.Header), Headers: view.Headers(m.Header), Size: view.Bytes(uint64(len(m.Data)))}
	page.Event = eventOf(m.Header.Get(contract.HeaderPosition))
	if c.shows(r) {
		page.Payload, page.Shown = view.Payload(m.Data), true
	}
	c.render(w, r, "letter", page)
}

func (c *Console) letterAt(ctx context.Context, seq uint64) (*jetstream.RawStreamMsg, error) {
	stream, err := c.cfg.Source().JS.Stream(ctx, contract.StreamDLQ)
	if err != nil {
		return nil, fmt.Errorf("look up stream %q: %w", contract.StreamDLQ, err)
	}
	m, err := stream.GetMsg(ctx, seq)
	if err != nil {
		return nil, fmt.Errorf("read dead letter %d: %w", seq, err)
	}
	return m, nil
}

// shows reports whether a request asks for payloads and may have them.
func (c *Console) shows(r *http.Request) bool {
	return !c.cfg.HidePayloads && r.FormValue("payload") == "show"
}
