package replhub_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/embedded"
)

// TestDescribeReadsAllPages: a service with more interests than one reply has
// room for has them all in its status.
func TestDescribeReadsAllPages(t *testing.T) {
	l := newLab(t, func(c *embedded.Config) { c.MaxPayload = 24 << 10 })
	l.startHub()
	c := l.client(func(c *replhub.Config) { c.Service = strings.Repeat("s", 63) })
	var r replhub.Registration
	var want []string
	for i := range 140 {
		want = append(want, fmt.Sprintf("e%03d", i))
		r.Interests = append(r.Interests, replhub.Interest{Entity: want[i]})
	}
	if _, err := c.Register(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	status, err := c.Describe(t.Context())
	if err != nil || !slices.Equal(status.Entities, want) || status.State != replhub.StateLive {
		t.Errorf("%d entities, %s, %v", len(status.Entities), status.State, err)
	}
}
