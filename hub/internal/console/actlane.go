package console

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/replhub/replhub/hub/internal/console/view"
	"github.com/replhub/replhub/hub/internal/match"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// servicePath is the page of a service.
func servicePath(service string) string { return "/services/" + url.PathEscape(service) }

// confirmed is a confirmation about a service.
func confirmed(form url.Values, title, button string, what ...string) confirmation {
	return confirmation{Title: title, Button: button, What: what, Form: form, Back: servicePath(form.Get("service"))}
}

func did(form url.Values, title string, texts ...string) outcome {
	return outcome{Title: title, Did: texts, Back: servicePath(form.Get("service"))}
}

// describe is the lane that a form names.
func (c *Console) describe(ctx context.Context, form url.Values) (contract.LaneStatus, error) {
	return ask[contract.LaneStatus](ctx, c, contract.VerbDescribe, form.Get("service"), contract.Describe{})
}

// pauseFor reads how long a pause is to be.
func pauseFor(form url.Values) (time.Duration, error) {
	d, err := time.ParseDuration(strings.TrimSpace(form.Get("for")))
	if err != nil || d <= 0 {
		return 0, contract.FieldErrorf(contract.CodeInvalidValue, "for", "say how long, as in 30m or 2h")
	}
	return d, nil
}

func (c *Console) confirmPause(ctx context.Context, form url.Values) (confirmation, error) {
	d, err := pauseFor(form)
	if err != nil {
		return confirmation{}, err
	}
	s, err := c.describe(ctx, form)
	if err != nil {
		return confirmation{}, err
	}
	return confirmed(form, "Pause "+s.Service, "Pause for "+d.String(),
		fmt.Sprintf("The server delivers nothing to the workers of %s for %s, and continues by itself after that time.", s.Service, d),
		"Instances finish the copies that they hold. The hub continues to copy into the lane, so the backlog grows: it is "+view.Count(s.Backlog)+" now.",
	), nil
}

func (c *Console) doPause(ctx context.Context, form url.Values) (outcome, error) {
	d, err := pauseFor(form)
	if err != nil {
		return outcome{}, err
	}
	paused, err := ask[contract.Paused](ctx, c, contract.VerbPause, form.Get("service"), contract.Pause{For: contract.Duration(d)})
	if err != nil {
		return outcome{}, err
	}
	text := "The workers of " + paused.Service + " are paused."
	if paused.PausedUntil != nil {
		text = "The workers of " + paused.Service + " are paused until " + view.Time(*paused.PausedUntil) + "."
	}
	return did(form, "Paused", text), nil
}

func (c *Console) confirmResume(ctx context.Context, form url.Values) (confirmation, error) {
	s, err := c.describe(ctx, form)
	if err != nil {
		return confirmation{}, err
	}
	return confirmed(form, "Resume "+s.Service, "Resume",
		"The workers of "+s.Service+" get deliveries again at once; "+"the backlog has "+view.Plural(s.Backlog, "copy")+"."), nil
}

func (c *Console) doResume(ctx context.Context, form url.Values) (outcome, error) {
	resumed, err := ask[contract.Paused](ctx, c, contract.VerbResume, form.Get("service"), struct{}{})
	if err != nil {
		return outcome{}, err
	}
	return did(form, "Resumed", "The workers of "+resumed.Service+" run."), nil
}

func (c *Console) confirmRewind(ctx context.Context, form url.Values) (confirmation, error) {
	to := strings.TrimSpace(form.Get("to"))
	look, err := ask[contract.Rewound](ctx, c, contract.VerbRewind, form.Get("service"), contract.Rewind{To: contract.Start(to), DryRun: true})
	if err != nil {
		return confirmation{}, err
	}
	what := view.Plural(look.Redelivered, "event") + " will come to the workers of " + look.Service + " again"
	if look.Seq > 0 {
		what += ", from ingest's event " + view.Count(look.Seq) + " on"
	}
	return confirmed(form, "Rewind "+look.Service+" to "+to, "Rewind",
		what+". Those that are in the backlog now are among them.",
		"With the inbox a change that was applied is not applied again, and no row goes back to an older state. A handler without it gets each event once more.",
		"The consumers are created again: instances that work now begin again.",
	), nil
}

func (c *Console) doRewind(ctx context.Context, form url.Values) (outcome, error) {
	rewound, err := ask[contract.Rewound](ctx, c, contract.VerbRewind, form.Get("service"),
		contract.Rewind{To: contract.Start(strings.TrimSpace(form.Get("to")))})
	if err != nil {
		return outcome{}, err
	}
	return did(form, "Rewound", fmt.Sprintf("%s come again to the workers of %s.", view.Plural(rewound.Redelivered, "event"), rewound.Service)), nil
}

func backfillOf(form url.Values) contract.Backfill {
	return contract.Backfill{Entity: strings.TrimSpace(form.Get("entity")), Filter: strings.TrimSpace(form.Get("filter"))}
}

// mayBackfill refuses a backfill whose count of rows would tell of payloads that are hidden.
func (c *Console) mayBackfill(req contract.Backfill) error {
	entity, err := subjects.ParseName(req.Entity)
	if err != nil {
		return contract.FieldErrorf(contract.CodeInvalidName, "entity", "%v", err)
	}
	only, err := match.Compile(match.Definition{ID: "backfill", Entity: entity, Ops: subjects.DefaultOps, Only: req.Filter})
	if err != nil {
		return contract.Errorf(contract.CodeInvalidFilter, "%v", err)
	}
	return c.mayRead(only)
}

func (c *Console) confirmBackfill(ctx context.Context, form url.Values) (confirmation, error) {
	s, err := c.describe(ctx, form)
	if err != nil {
		return confirmation{}, err
	}
	req := backfillOf(form)
	if err := c.mayBackfill(req); err != nil {
		return confirmation{}, err
	}
	which := "all rows"
	if req.Filter != "" {
		which = "the rows that pass the filter " + req.Filter
	}
	return confirmed(form, "Backfill "+req.Entity+" for "+s.Service, "Backfill",
		fmt.Sprintf("The owner of %s is asked for %s, and those that pass the interest's own filter are copied into the lane of %s once more.", req.Entity, which, s.Service),
		"How many rows that are only the owner knows. The owner's database is read, a thousand rows at a time; live events go on meanwhile.",
	), nil
}

func (c *Console) doBackfill(ctx context.Context, form url.Values) (outcome, error) {
	req := backfillOf(form)
	if err := c.mayBackfill(req); err != nil {
		return outcome{}, err
	}
	b, err := ask[contract.Backfilling](ctx, c, contract.VerbBackfill, form.Get("service"), req)
	if err != nil {
		return outcome{}, err
	}
	text := "The backfill " + b.ID + " is in force; the page of the service shows the progress."
	if b.UnderWay {
		text = "This backfill was under way already, at " + view.Plural(b.Rows, "row") + "."
	}
	return did(form, "Backfill of "+b.Entity, append([]string{text}, b.Warnings...)...), nil
}

func (c *Console) confirmRedrive(ctx context.Context, form url.Values) (confirmation, error) {
	s, err := c.describe(ctx, form)
	if err != nil {
		return confirmation{}, err
	}
	return confirmed(form, "Redrive all dead letters of "+s.Service, "Redrive",
		view.Plural(s.DeadLetters, "event")+" go back into the lane of "+s.Service+", with the filter and fields that are registered now, and leave the dead letters.",
		"An event that still cannot be handled becomes a dead letter again. One that cannot come back stays, and the next page says why.",
	), nil
}

func (c *Console) doRedrive(ctx context.Context, form url.Values) (outcome, error) {
	return c.redriven(ctx, form.Get("service"), contract.Redrive{All: true})
}

func (c *Console) confirmDrop(ctx context.Context, form url.Values) (confirmation, error) {
	s, err := c.describe(ctx, form)
	if err != nil {
		return confirmation{}, err
	}
	page := confirmed(form, "Drop "+s.Service, "Drop for good",
		fmt.Sprintf("The stream %s is deleted with %s, and so are %s. Nobody gets them any more.",
			s.Stream, view.Plural(s.Messages, "message"), view.Plural(s.DeadLetters, "dead letter")),
		"To have the service again, it registers again.",
	)
	page.Danger = true
	if len(s.Interests) > 0 {
		page.What = append(page.What, "The hub will refuse this: "+s.Service+" still has "+view.Plural(uint64(len(s.Interests)), "interest")+". End them first: replhub unregister "+s.Service+".")
	}
	return page, nil
}

func (c *Console) doDrop(ctx context.Context, form url.Values) (outcome, error) {
	dropped, err := ask[contract.Dropped](ctx, c, contract.VerbDrop, form.Get("service"), contract.Drop{})
	if err != nil {
		return outcome{}, err
	}
	return outcome{Title: "Dropped", Did: []string{"The service " + dropped.Service + " and its stream " + dropped.Stream + " are gone."}, Back: "/"}, nil
}
