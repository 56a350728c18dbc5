package replhub_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/embedded"
	"github.com/replhub/replhub/replhubtest"
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

// TestDescribeHasDefinitions: a service can tell from its status what it asked for.
func TestDescribeHasDefinitions(t *testing.T) {
	l := newLab(t)
	l.startHub()
	c := l.client(func(c *replhub.Config) { c.Service = "sharing" })
	want := replhub.Interest{Entity: "user", Ops: []replhub.Op{replhub.Create}, Filter: "data.a == 1", Fields: []string{"a", "b.c"}, Echo: true}
	queue := replhub.Queue{Order: replhub.OrderKey, Partitions: 3, AckWait: time.Minute, MaxDeliver: 4}
	if _, err := c.Register(t.Context(), replhub.Registration{Interests: []replhub.Interest{want}, Queue: queue}); err != nil {
		t.Fatal(err)
	}
	ack, err := c.Publish(t.Context(), replhub.Event{Entity: "tenant", Op: replhub.Create, Key: "1"})
	if err != nil {
		t.Fatal(err)
	}
	replhubtest.Await(t, "the position of the last event", func() error {
		status, err := c.Describe(t.Context())
		if err == nil && (len(status.Interests) != 1 || !reflect.DeepEqual(status.Interests[0], want) || status.Queue != queue || status.Position.Seq != ack.Seq || status.Position.Epoch == 0) {
			err = fmt.Errorf("%+v", status)
		}
		return err
	})
}
