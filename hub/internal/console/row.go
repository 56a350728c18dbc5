package console

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/replhub/replhub/hub/internal/console/view"
	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// rowPage is the story of one row.
type rowPage struct {
	Entity, Key, ID, Seq string
	Asked                bool
	// Trouble is why nothing was searched.
	Trouble string
	Events  []eventLine
	Looked  uint64
	// Below is where the search goes on; 0 when all was searched.
	Below uint64
}

// eventLine is one event.
type eventLine struct {
	Seq                                uint64
	Entity, Op, Key, ID, Origin, Time  string
	Version, Position, Size, LanesLink string
	Payload                            string
	Shown                              bool
}

func lineOf(e *event.Event, shown bool) eventLine {
	line := eventLine{
		Seq: e.Pos.Seq, Entity: e.Subject.Entity().String(), Op: e.Subject.Op().String(), Key: e.Key, ID: e.ID, Origin: e.Origin,
		Time: view.Time(e.Time), Version: e.Version, Position: e.Pos.String(), Size: view.Bytes(uint64(len(e.Data))), Shown: shown,
	}
	if shown {
		line.Payload = view.Payload(e.Data)
	}
	return line
}

// row shows every event of a row that ingest holds.
func (c *Console) row(w http.ResponseWriter, r *http.Request) {
	field := func(name string) string { return strings.TrimSpace(r.FormValue(name)) }
	page := rowPage{Entity: strings.ToLower(field("entity")), Key: field("key"), ID: field("id"), Seq: field("seq")}
	page.Asked = page.Key != "" || page.ID != "" || page.Seq != ""
	if page.Asked {
		found, err := c.storyOf(r, &page)
		if err != nil {
			page.Trouble = textOf(err)
		}
		for _, e := range found.Events {
			page.Events = append(page.Events, lineOf(e, c.shows(r)))
		}
		page.Looked, page.Below = uint64(max(found.Looked, 0)), found.Below
	}
	c.render(w, r, "row", page)
}

// storyOf searches for what the page asks for: a sequence, an id, or a key of an entity.
func (c *Console) storyOf(r *http.Request, page *rowPage) (searched, error) {
	if page.Seq != "" {
		return c.bySeq(r.Context(), page)
	}
	subject := "db.>"
	if page.Entity != "" {
		entity, err := subjects.ParseName(page.Entity)
		if err != nil {
			return searched{}, contract.FieldErrorf(contract.CodeInvalidName, "entity", "%v", err)
		}
		subject = "db." + entity.String() + ".*"
	} else if page.ID == "" {
		return searched{}, contract.FieldErrorf(contract.CodeInvalidValue, "entity", "state the entity of the key %s", page.Key)
	}
	below, err := strconv.ParseUint(r.FormValue("below"), 10, 64)
	if err != nil {
		below = 0 // the end
	}
	return c.search(r.Context(), subject, below, searchMost, func(e *event.Event) bool {
		return page.ID != "" && (e.ID == page.ID || e.Pos.String() == page.ID) || page.ID == "" && e.Key == page.Key
	})
}

func (c *Console) bySeq(ctx context.Context, page *rowPage) (searched, error) {
	seq, err := strconv.ParseUint(page.Seq, 10, 64)
	if err != nil || seq == 0 {
		return searched{}, contract.FieldErrorf(contract.CodeInvalidValue, "seq", "%q is no sequence", page.Seq)
	}
	e, err := c.eventAt(ctx, seq)
	if err != nil {
		return searched{}, err
	}
	if e == nil {
		return searched{}, contract.Errorf(contract.CodeNotFound, "ingest does not hold event %d: it was trimmed or erased, or never existed", seq)
	}
	page.Entity, page.Key = e.Subject.Entity().String(), e.Key
	return searched{Events: []*event.Event{e}, Looked: 1}, nil
}

const (
	// fatesPage is how many services a list of fates shows, fatesAtOnce how many are
	// asked about at a time.
	fatesPage   = 25
	fatesAtOnce = 4
)

// fatesView is what became of an event for each service that is interested in it.
type fatesView struct {
	Seq    uint64
	Entity string
	Fates  []view.Fate
	// Next is the service behind which more come.
	Next    string
	Trouble string
}

// fates answers what became of an event.
func (c *Console) fates(w http.ResponseWriter, r *http.Request) {
	seq, err := strconv.ParseUint(r.FormValue("seq"), 10, 64)
	if err != nil || seq == 0 {
		http.Error(w, "seq is no sequence", http.StatusBadRequest)
		return
	}
	page := fatesView{Seq: seq, Entity: r.FormValue("entity")}
	who, err := ask[contract.Interested](r.Context(), c, contract.VerbWho, "", contract.Who{Entity: page.Entity, After: r.FormValue("after"), Limit: fatesPage})
	if err != nil {
		page.Trouble = textOf(err)
		c.render(w, r, "fates", page)
		return
	}
	page.Next, page.Fates = who.Next, make([]view.Fate, len(who.Services))
	var group errgroup.Group
	group.SetLimit(fatesAtOnce)
	var mu sync.Mutex // guards page.Fates
	for i := range who.Services {
		service := who.Services[i].Service
		group.Go(func() error {
			e, err := ask[contract.Explained](r.Context(), c, contract.VerbExplain, service, contract.Explain{Seq: seq})
			fate := view.NewFate(&e)
			if err != nil {
				fate = view.FateOf(service, err)
			}
			mu.Lock()
			defer mu.Unlock()
			page.Fates[i] = fate
			return nil
		})
	}
	_ = group.Wait() // each one's trouble is in its fate
	c.render(w, r, "fates", page)
}

// eventOf is the ingest sequence of a position in a header; empty without one.
func eventOf(position string) string {
	pos, ok := event.ParsePosition(position)
	if !ok {
		return ""
	}
	return strconv.FormatUint(pos.Seq, 10)
}
