package view

import (
	"net/url"
	"strconv"
	"strings"
)

// Sorts are what the overview can be sorted by; the first is the default.
func Sorts() []string {
	return []string{sortTrouble, sortService, sortLag, sortBacklog, sortOldest, sortDead}
}

const (
	sortTrouble = "trouble"
	sortService = "service"
	sortLag     = "lag"
	sortBacklog = "backlog"
	sortOldest  = "oldest"
	sortDead    = "dead"
)

// maxSearch bounds a search text, in bytes.
const maxSearch = 100

// Query is what the overview is asked for.
type Query struct {
	// Search is a part of a service's name, Entity one that the service has an
	// interest in, State one of the lane states; empty is all.
	Search, Entity, State string
	// Hub is the id of the hub that writes the lane; empty is any.
	Hub string
	// Sort is one of Sorts.
	Sort string
	// Page counts from 1.
	Page int
}

// ParseQuery takes what it knows and leaves out the rest.
func ParseQuery(values url.Values) Query {
	q := Query{Sort: sortTrouble, Page: 1}
	bounded := func(name string) string {
		text := strings.ToLower(strings.TrimSpace(values.Get(name)))
		return strings.ToValidUTF8(text[:min(len(text), maxSearch)], "")
	}
	q.Search, q.Entity, q.State = bounded("q"), bounded("entity"), bounded("state")
	q.Hub = strings.ToValidUTF8(values.Get("hub")[:min(len(values.Get("hub")), maxSearch)], "")
	for _, known := range Sorts() {
		if values.Get("sort") == known {
			q.Sort = known
		}
	}
	if n, err := strconv.Atoi(values.Get("page")); err == nil && n > 1 {
		q.Page = n
	}
	return q
}

// Encode is the query as a part of an address.
func (q Query) Encode() string {
	values := url.Values{}
	set := func(name, value, unless string) {
		if value != unless {
			values.Set(name, value)
		}
	}
	set("q", q.Search, "")
	set("entity", q.Entity, "")
	set("state", q.State, "")
	set("hub", q.Hub, "")
	set("sort", q.Sort, sortTrouble)
	set("page", strconv.Itoa(q.Page), "1")
	return values.Encode()
}

// Sorted is the query with another order, from the first page on.
func (q Query) Sorted(by string) Query {
	q.Sort, q.Page = by, 1
	return q
}

// At is the query of another page.
func (q Query) At(page int) Query {
	q.Page = page
	return q
}

// Of is the query of the services that have an interest in an entity.
func (q Query) Of(entity string) Query {
	q.Entity, q.Page = entity, 1
	return q
}

// Owned is the query of the services whose lanes a hub writes.
func (q Query) Owned(hub string) Query {
	q.Hub, q.Page = hub, 1
	return q
}
