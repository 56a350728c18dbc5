package hub

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

const (
	// pageTime is how long a page may take to make, pageItemTime how long one of
	// its lanes; callers wait for 10 s by default.
	pageTime     = 2 * time.Second
	pageItemTime = 3 * time.Second
	// pageAtOnce bounds the lanes of a page that are read at a time.
	pageAtOnce = 32
)

// paging is where a page begins and how long it may be.
type paging struct {
	after string
	limit int
	// room is how many bytes its items may take.
	room int
}

// parsePaging checks a page's beginning and limit; unlimited is the limit where
// none is stated.
func (h *Hub) parsePaging(after string, limit, unlimited int) (paging, error) {
	if after != "" {
		if _, err := parseName(after, "after"); err != nil {
			return paging{}, err
		}
	}
	if limit < 0 || limit > contract.MostPage {
		return paging{}, contract.FieldErrorf(contract.CodeInvalidValue, "limit", "%d is not between 1 and %d", limit, contract.MostPage)
	}
	return paging{after: after, limit: cmp.Or(limit, unlimited), room: h.replyRoom()}, nil
}

// lanesAfter are the lanes behind a name, in the order of their names.
func (h *Hub) lanesAfter(ctx context.Context, after string) ([]subjects.Name, error) {
	found, err := h.listLanes(ctx)
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(s subjects.Name) bool { return s.String() <= after })
	slices.SortFunc(found, func(a, b subjects.Name) int { return strings.Compare(a.String(), b.String()) })
	return found, nil
}

// errLeftOut: a lane has no place in a list.
var errLeftOut = errors.New("left out")

// collect fills a page with what read makes of lanes, several at a time. next is
// the last lane that was looked at, empty at the end of the list: a page that
// ends by its time may be short, or empty. An item that is larger than a page is
// cut.
func collect[T any](ctx context.Context, p paging, services []subjects.Name, read func(context.Context, subjects.Name) (T, error), shrink func(*T, int)) (items []T, next string, err error) {
	items = []T{}
	used := 0
	for began := time.Now(); len(services) > 0; {
		some := services[:min(len(services), pageAtOnce)]
		got, errs := readAll(ctx, some, read)
		for i, service := range some {
			if errors.Is(errs[i], errLeftOut) {
				continue
			}
			if errs[i] != nil {
				return nil, "", errs[i]
			}
			size := jsonSize(got[i]) + 1
			if used+size > p.room && len(items) > 0 {
				return items, before(services, service, p.after), nil
			}
			if size > p.room {
				shrink(&got[i], p.room)
			}
			items = append(items, got[i])
			if used += size; len(items) == p.limit {
				return items, unlessLast(services, service), nil
			}
		}
		last := some[len(some)-1]
		if time.Since(began) > pageTime {
			return items, unlessLast(services, last), nil
		}
		services, p.after = services[len(some):], last.String()
	}
	return items, "", nil
}

// readAll reads some lanes at once.
func readAll[T any](ctx context.Context, services []subjects.Name, read func(context.Context, subjects.Name) (T, error)) (items []T, errs []error) {
	items, errs = make([]T, len(services)), make([]error, len(services))
	var group sync.WaitGroup
	for i, service := range services {
		group.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, pageItemTime)
			defer cancel()
			items[i], errs[i] = read(ctx, service)
		})
	}
	group.Wait()
	return items, errs
}

// before is the name in front of one in a list that begins behind another.
func before(services []subjects.Name, service subjects.Name, first string) string {
	if i := slices.Index(services, service); i > 0 {
		return services[i-1].String()
	}
	return first
}

// unlessLast is a name, or nothing when it ends the list.
func unlessLast(services []subjects.Name, service subjects.Name) string {
	if services[len(services)-1] == service {
		return ""
	}
	return service.String()
}
