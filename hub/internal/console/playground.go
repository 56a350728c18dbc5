package console

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/hub/internal/console/view"
	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/match"
	"github.com/replhub/replhub/hub/internal/request"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// tryLast is how many events a filter is tried on.
const tryLast = 100

// playgroundPage is a filter and fields, and what they do.
type playgroundPage struct {
	Service, Entity, Filter, Fields string
	Tried                           bool
	Trouble                         string
	Trial                           view.Trial
	Warnings                        []string
	Registration                    view.Registration
}

// playground tries a filter and fields on the last events of an entity.
func (c *Console) playground(w http.ResponseWriter, r *http.Request) {
	field := func(name string) string { return strings.TrimSpace(r.FormValue(name)) }
	page := playgroundPage{Service: strings.ToLower(field("service")), Entity: strings.ToLower(field("entity")), Filter: field("filter"), Fields: field("fields")}
	if page.Entity != "" {
		page.Tried = true
		if err := c.try(r, &page); err != nil {
			page.Trouble = textOf(err)
		}
	}
	c.render(w, r, "playground", page)
}

func (c *Console) try(r *http.Request, page *playgroundPage) error {
	if page.Service == "" {
		page.Service = "my-service"
	}
	service, err := subjects.ParseName(page.Service)
	if err != nil {
		return contract.FieldErrorf(contract.CodeInvalidName, "service", "%v", err)
	}
	entity, err := subjects.ParseName(page.Entity)
	if err != nil {
		return contract.FieldErrorf(contract.CodeInvalidName, "entity", "%v", err)
	}
	fields := strings.FieldsFunc(page.Fields, func(c rune) bool { return strings.ContainsRune(", \r\n", c) })
	interest, err := match.Compile(match.Definition{
		ID: "playground", Entity: entity, Ops: subjects.DefaultOps, Filter: page.Filter, Fields: fields, Echo: true,
	})
	if err != nil {
		return contract.Errorf(contract.CodeInvalidFilter, "%v", err)
	}
	if err := c.mayRead(interest); err != nil {
		return err
	}
	if reads := interest.Unguarded(); len(reads) > 0 {
		page.Warnings = append(page.Warnings, request.UnguardedWarning(page.Entity, reads))
	}
	page.Registration = view.NewRegistration(page.Service, page.Entity, page.Filter, fields)
	found, err := c.search(r.Context(), "db."+entity.String()+".*", 0, tryLast, func(*event.Event) bool { return true })
	if err != nil {
		return err
	}
	page.Trial.Hidden = c.cfg.HidePayloads
	table := match.New(service, 1, []*match.Interest{interest})
	for _, e := range found.Events {
		page.Trial.Add(e, table.Expand(e), c.shows(r))
	}
	return nil
}

// mayRead refuses what would tell of payloads where no page shows any: by trying enough
// conditions on one event, or by its size with one member, somebody could spell it out.
func (c *Console) mayRead(interest *match.Interest) error {
	if !c.cfg.HidePayloads || !interest.ReadsPayload() {
		return nil
	}
	return contract.Errorf(contract.CodeInvalidValue, "%s",
		"payloads are hidden here ("+contract.EnvConsolePayloads+"=off), so no fields are tried, nor filters that read data; filters over entity, op, key, headers and time are")
}

// publishOf reads the event of a form.
func publishOf(form url.Values) (*nats.Msg, error) {
	op, err := subjects.ParseOp(strings.TrimSpace(form.Get("op")))
	if err != nil {
		return nil, contract.FieldErrorf(contract.CodeInvalidValue, "op", "%v", err)
	}
	entity, err := subjects.ParseName(strings.TrimSpace(form.Get("entity")))
	if err != nil {
		return nil, contract.FieldErrorf(contract.CodeInvalidName, "entity", "%v", err)
	}
	m := nats.NewMsg(subjects.NewEvent(entity, op).String())
	m.Data = []byte(form.Get("payload"))
	if key := strings.TrimSpace(form.Get("key")); key != "" {
		if !contract.ValidKey(key) {
			return nil, contract.FieldErrorf(contract.CodeInvalidValue, "key", "%s", "this key cannot be a header's value")
		}
		m.Header.Set(contract.HeaderKey, key)
	}
	return m, nil
}

func (c *Console) confirmPublish(_ context.Context, form url.Values) (confirmation, error) {
	m, err := publishOf(form)
	if err != nil {
		return confirmation{}, err
	}
	return confirmation{
		Title: "Publish an event", Button: "Publish",
		What: []string{
			"The event " + m.Subject + " with " + view.Bytes(uint64(len(m.Data))) + " is stored, and copied to every service that wants it.",
		},
		Form: form, Back: "/playground",
	}, nil
}

func (c *Console) doPublish(ctx context.Context, form url.Values) (outcome, error) {
	m, err := publishOf(form)
	if err != nil {
		return outcome{}, err
	}
	ack, err := c.cfg.Source().JS.PublishMsg(ctx, m)
	if err != nil {
		return outcome{}, err
	}
	return outcome{
		Title: "Published", Did: []string{m.Subject + " is event " + view.Count(ack.Sequence) + " of ingest."}, Back: "/row?seq=" + view.Plain(ack.Sequence),
	}, nil
}
