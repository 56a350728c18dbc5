package reply

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/replhub/replhub/hub/internal/request"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

const (
	// PageTime is how long a page may take to make, itemTime how long one of its lanes;
	// callers wait for 10 s by default.
	PageTime = 2 * time.Second
	itemTime = 3 * time.Second
	// AtOnce bounds the lanes of a page that are read at a time.
	AtOnce = 32
)

// Paging says where a page begins and how long it may be.
type Paging struct {
	// After is the name behind which the page begins; "" is the beginning.
	After string
	// Limit bounds the page's items, Room their bytes.
	Limit, Room int
}

// ParsePaging checks a page's beginning and limit; unlimited is the limit where none is
// stated.
func ParsePaging(after string, limit, unlimited, room int) (Paging, error) {
	if after != "" {
		if _, err := request.Name(after, "after"); err != nil {
			return Paging{}, err
		}
	}
	if limit < 0 || limit > contract.MostPage {
		return Paging{}, contract.FieldErrorf(contract.CodeInvalidValue, "limit", "%d is not between 1 and %d", limit, contract.MostPage)
	}
	return Paging{After: after, Limit: cmp.Or(limit, unlimited), Room: room}, nil
}

// ErrLeftOut means that a lane does not appear in a list.
var ErrLeftOut = errors.New("left out")

// Collect fills a page with the items that read makes of lanes, several at a time.
// next is the last lane that was read, empty at the end of the list. A page that ends
// by its time may be short, or empty. An item that is larger than a page is cut.
func Collect[T any](ctx context.Context, p Paging, services []subjects.Name, read func(context.Context, subjects.Name) (T, error), shrink func(*T, int)) (items []T, next string, err error) {
	items = []T{}
	used := 0
	for began := time.Now(); len(services) > 0; {
		some := services[:min(len(services), AtOnce)]
		got, errs := ReadAll(ctx, some, read)
		for i, service := range some {
			if errors.Is(errs[i], ErrLeftOut) {
				continue
			}
			if errs[i] != nil {
				return nil, "", errs[i]
			}
			size := Size(got[i]) + 1
			if used+size > p.Room && len(items) > 0 {
				return items, before(services, service, p.After), nil
			}
			if size > p.Room {
				shrink(&got[i], p.Room)
			}
			items = append(items, got[i])
			if used += size; len(items) == p.Limit {
				return items, unlessLast(services, service), nil
			}
		}
		last := some[len(some)-1]
		if time.Since(began) > PageTime {
			return items, unlessLast(services, last), nil
		}
		services, p.After = services[len(some):], last.String()
	}
	return items, "", nil
}

// ReadAll reads some lanes at once.
func ReadAll[T any](ctx context.Context, services []subjects.Name, read func(context.Context, subjects.Name) (T, error)) (items []T, errs []error) {
	items, errs = make([]T, len(services)), make([]error, len(services))
	var group sync.WaitGroup
	for i, service := range services {
		group.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, itemTime)
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

// Fitting are the first elements of a list that take a number of bytes, and how many
// were left out.
func Fitting[T any](list []T, room int) (first []T, left int) {
	used := 0
	for i := range list {
		if used += Size(list[i]) + 1; used > room {
			return list[:i], len(list) - i
		}
	}
	return list, 0
}
