package lane

import (
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/internal/testenv/natstest"
)

// Only a stream of the very server that the hub is connected to, outside a cluster, cannot
// change to an older copy while the connection lasts.
func TestDirect(t *testing.T) {
	nc, err := nats.Connect(natstest.Start(t).URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S"})
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), "S")
	if err != nil {
		t.Fatal(err)
	}
	at := stream.CachedInfo().Cluster
	if !direct(nc, at) {
		t.Errorf("a stream of %s is at %+v", nc.ConnectedServerName(), at)
	}
	for _, elsewhere := range []*jetstream.ClusterInfo{nil, {}, {Leader: "another"}, {Name: "c", Leader: at.Leader}} {
		if direct(nc, elsewhere) {
			t.Errorf("%+v counts as the server of the connection", elsewhere)
		}
	}
}
