package reply_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/replhub/replhub/hub/internal/reply"
	"github.com/replhub/replhub/subjects"
)

// Pages by number and by bytes, put together, are the whole list once.
func TestPagesAreTheWholeList(t *testing.T) {
	var all []subjects.Name
	for i := range 100 {
		name, err := subjects.ParseName(fmt.Sprintf("s%03d", i))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, name)
	}
	read := func(_ context.Context, service subjects.Name) (string, error) {
		switch n := service.String(); {
		case strings.HasSuffix(n, "7"):
			return "", reply.ErrLeftOut
		case strings.HasSuffix(n, "3"):
			return n + strings.Repeat("x", 500), nil
		default:
			return n, nil
		}
	}
	for _, tt := range []struct{ limit, room int }{{1000, 1 << 20}, {1, 1 << 20}, {7, 1 << 20}, {1000, 600}, {1000, 60}, {3, 1000}} {
		var got []string
		after := ""
		for pages := 0; ; pages++ {
			if pages > len(all) {
				t.Fatalf("%+v: no end", tt)
			}
			rest := all[slices.IndexFunc(all, func(n subjects.Name) bool { return n.String() > after }):]
			items, next, err := reply.Collect(t.Context(), reply.Paging{After: after, Limit: tt.limit, Room: tt.room}, rest, read,
				func(s *string, room int) { *s = (*s)[:4] })
			if err != nil {
				t.Fatal(err)
			}
			if len(items) > tt.limit || len(items) > 1 && reply.Size(items) > tt.room+len("[]") {
				t.Errorf("%+v: a page of %d items and %d bytes", tt, len(items), reply.Size(items))
			}
			for _, item := range items {
				got = append(got, item[:4])
			}
			if next == "" {
				break
			}
			after = next
		}
		want := make([]string, 0, len(all))
		for _, name := range all {
			if !strings.HasSuffix(name.String(), "7") {
				want = append(want, name.String())
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%+v: %d of %d items: %q", tt, len(got), len(want), got)
		}
	}
}
