package jsapi_test

import (
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/internal/jsapi"
)

func TestPrefix(t *testing.T) {
	for want, o := range map[string]jetstream.JetStreamOptions{
		"$JS.API.":      {},
		"$JS.leaf.API.": {Domain: "leaf"},
		"tenant.api.":   {APIPrefix: "tenant.api"},
		"other.api.":    {APIPrefix: "other.api."},
		"wins.":         {APIPrefix: "wins", Domain: "leaf"},
	} {
		if got := jsapi.Prefix(o); got != want {
			t.Errorf("%+v: %q, want %q", o, got, want)
		}
	}
}
