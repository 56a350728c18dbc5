package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/replhub/replhub/internal/contract"
)

// pages is a list that the hub tells in pages.
type pages struct {
	verb, service string
	// list is the reply's member that is continued on the next page.
	list string
	// request asks for the page behind a name.
	request func(after string) any
}

func servicePages() pages {
	return pages{contract.VerbServices, "", "services", func(after string) any { return contract.ListServices{After: after} }}
}

func whoPages(entity string) pages {
	return pages{contract.VerbWho, "", "services", func(after string) any { return contract.Who{Entity: entity, After: after} }}
}

func policyPages(entity string) pages {
	return pages{contract.VerbPolicies, "", "policies", func(after string) any { return contract.ListPolicies{Entity: entity, After: after} }}
}

func lanePages(service string) pages {
	return pages{contract.VerbDescribe, service, "interests", func(after string) any { return contract.Describe{After: after} }}
}

// exchangePages is exchange for a list: its pages are shown as one reply.
func exchangePages[T any](ctx context.Context, a *app, p pages, show func(io.Writer, *T) error) error {
	l, err := a.connect()
	if err != nil {
		return err
	}
	defer l.close()
	var reply T
	body, err := l.askPages(ctx, p, &reply)
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(body)
	}
	return show(a.out, &reply)
}

// page is a reply whose members are kept as they came: a newer hub's too.
type page map[string]json.RawMessage

// askPages asks for all pages of a list and decodes them as one reply, whose
// bytes it returns too. A single page is returned as it came.
func (l *connection) askPages(ctx context.Context, p pages, reply any) (json.RawMessage, error) {
	var first page
	body, err := l.ask(ctx, p.verb, p.service, p.request(""), &first)
	if err != nil {
		return nil, err
	}
	more, err := l.followPages(ctx, p, first)
	if err != nil {
		return nil, err
	}
	if p.verb == contract.VerbServices {
		whole, err := l.completeLanes(ctx, first)
		if err != nil {
			return nil, err
		}
		more = more || whole
	}
	if more {
		if body, err = json.Marshal(first); err != nil {
			return nil, fmt.Errorf("join the pages of %s: %w", p.verb, err)
		}
	}
	if err := json.Unmarshal(body, reply); err != nil {
		return nil, fmt.Errorf("read the reply of %s: %w", p.verb, err)
	}
	return body, nil
}

// followPages puts the list of the pages behind one into it, and reports whether
// there were any.
func (l *connection) followPages(ctx context.Context, p pages, into page) (more bool, err error) {
	next, err := into.next()
	if err != nil || next == "" {
		return false, err
	}
	list, err := into.items(p.list)
	for err == nil && next != "" {
		var following page
		if _, err = l.ask(ctx, p.verb, p.service, p.request(next), &following); err != nil {
			return true, err
		}
		var items []json.RawMessage
		if items, err = following.items(p.list); err != nil {
			return true, err
		}
		list = append(list, items...)
		before := next
		if next, err = following.next(); err == nil && next == before {
			err = fmt.Errorf("read the reply of %s: the pages after %q do not end", p.verb, before)
		}
	}
	if err != nil {
		return true, err
	}
	delete(into, "next")
	into[p.list], err = json.Marshal(list)
	return true, err
}

// completeLanes asks for the interests of lanes that have more than a page has
// room for.
func (l *connection) completeLanes(ctx context.Context, services page) (more bool, err error) {
	list, err := services.items("services")
	if err != nil {
		return false, err
	}
	for i := range list {
		var lane page
		if err := json.Unmarshal(list[i], &lane); err != nil {
			return more, fmt.Errorf("read the reply of services: %w", err)
		}
		if lane["next"] == nil {
			continue
		}
		var name string
		if err := json.Unmarshal(lane["service"], &name); err != nil {
			return more, fmt.Errorf("read the reply of services: %w", err)
		}
		if _, err := l.followPages(ctx, lanePages(name), lane); err != nil {
			return more, err
		}
		more = true
		if list[i], err = json.Marshal(lane); err != nil {
			return more, err
		}
	}
	if !more {
		return false, nil
	}
	services["services"], err = json.Marshal(list)
	return true, err
}

// next is where the page behind this one begins, empty at the end.
func (p page) next() (name string, err error) {
	if raw := p["next"]; raw != nil {
		if err := json.Unmarshal(raw, &name); err != nil {
			return "", fmt.Errorf("read where the next page begins: %w", err)
		}
	}
	return name, nil
}

func (p page) items(list string) (items []json.RawMessage, err error) {
	if raw := p[list]; raw != nil {
		if err := json.Unmarshal(raw, &items); err != nil {
			return nil, fmt.Errorf("read the list of %s: %w", list, err)
		}
	}
	return items, nil
}
