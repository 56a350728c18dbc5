package digest_test

import (
	"slices"
	"testing"

	"github.com/replhub/replhub/internal/digest"
)

// A column below something that is no object tells that it leads nowhere, and not what is
// there: its other members may not be for the service.
func TestColumnsThatLeadNowhere(t *testing.T) {
	columns := digest.NewColumns([]digest.Column{{Path: "orders.total", Form: "json"}, {Path: "orders.tax.rate", Form: "number"}, {Path: "id", Form: "text"}})
	for payload, want := range map[string][]string{
		`{"id":"42","orders":[{"total":5,"card":"4111"}]}`:            {digest.Nowhere, digest.Nowhere, "t42"},
		`{"id":"42","orders":"4111"}`:                                 {digest.Nowhere, digest.Nowhere, "t42"},
		`{"id":"42","orders":{"total":5,"card":"4111","tax":"4111"}}`: {"jn5", digest.Nowhere, "t42"},
		`[{"card":"4111"}]`:                                           {digest.Nowhere, digest.Nowhere, digest.Nowhere},
		`{"id":"42","orders":null}`:                                   {digest.Null, digest.Null, "t42"},
	} {
		if got := columns.Of([]byte(payload)); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", payload, got, want)
		}
	}
}
