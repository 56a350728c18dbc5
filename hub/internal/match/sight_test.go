package match_test

import (
	"slices"
	"testing"

	"github.com/replhub/replhub/hub/internal/match"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/digest"
)

// Where an owner may make a digest of its own payload, each column is as it is in the
// payload that the lane has.
func TestNarrowIsAsTheProjection(t *testing.T) {
	payloads := []string{
		`{}`, `{"id":1,"x":2}`, `{"orders":null,"address":null}`,
		`{"orders":[{"total":5,"card":"4111"}],"address":"12 Main St"}`,
		`{"orders":{"total":5,"card":"4111"},"address":{"city":"Bern","street":{"no":12}}}`,
		`{"orders":{"total":{"net":4}},"address":[["12 Main St"]]}`,
		`{"orders":7,"address":{"city":{"name":"Bern"},"street":"12 Main St"}}`,
	}
	for _, fields := range [][]string{nil, {"id"}, {"orders"}, {"orders.total"}, {"address.city", "orders"}, {"address.city.name", "address.street", "id"}} {
		def := match.Definition{Fields: fields}
		interest, lane, made := compile(t, def), table(t, def), 0
		for _, path := range []string{"id", "x", "orders", "orders.total", "orders.total.net", "orders.card", "address", "address.city", "address.street.no"} {
			columns := []contract.DigestColumn{{Path: path, Form: "json", Absent: "jdefault"}}
			narrowed, ok := interest.Narrow(columns)
			if !ok {
				continue
			}
			made++
			for _, payload := range payloads {
				copied := lane.Expand(decode(t, "db.user.update", nil, payload)).Data
				want := digest.NewColumns(columns).Of(copied)
				if got := digest.NewColumns(narrowed).Of([]byte(payload)); !slices.Equal(got, want) {
					t.Errorf("fields %q, column %s of %s: the owner has %q, the lane %q", fields, path, payload, got, want)
				}
			}
		}
		if made == 0 {
			t.Errorf("fields %q: the owner makes no digest", fields)
		}
	}
}
