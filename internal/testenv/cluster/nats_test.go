package cluster_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/internal/testenv/cluster"
)

func connect(t *testing.T, url string, opts ...nats.Option) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect(url, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

func createStream(t *testing.T, js jetstream.JetStream, replicas int) {
	t.Helper()
	cfg := jetstream.StreamConfig{Name: "S", Subjects: []string{"s.>"}, Replicas: replicas}
	if _, err := js.CreateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
}

func publish(t *testing.T, js jetstream.JetStream) {
	t.Helper()
	if _, err := js.Publish(t.Context(), "s.a", []byte("x")); err != nil {
		t.Fatal(err)
	}
}

// held asks by a connection of its own: the server may have been restarted.
func held(t *testing.T, url string) uint64 {
	t.Helper()
	stream, err := connect(t, url).Stream(t.Context(), "S")
	if err != nil {
		t.Fatal(err)
	}
	return stream.CachedInfo().State.Msgs
}

func TestNATSKeepsURLAndStoreAcrossRuns(t *testing.T) {
	n := cluster.StartNATS(t, cluster.NATSSyncAlways())
	url, pid := n.URL(), n.PID()
	js := connect(t, url)
	createStream(t, js, 1)
	for i, end := range []func(){n.Kill, n.Stop} {
		publish(t, connect(t, url))
		end()
		if n.Running() {
			t.Fatal("running after its end")
		}
		n.Start()
		if got, want := held(t, url), uint64(i+1); got != want {
			t.Errorf("%d messages after run %d, want %d", got, i+1, want)
		}
	}
	if n.URL() != url || n.PID() == pid {
		t.Errorf("URL %s (was %s), process %d (was %d): want the same URL, another process", n.URL(), url, n.PID(), pid)
	}
}

func TestNATSStoreIsRolledBack(t *testing.T) {
	n := cluster.StartNATS(t)
	js := connect(t, n.URL())
	createStream(t, js, 1)
	publish(t, js)
	n.Stop()
	copied := n.CopyStore()
	n.Start()
	publish(t, connect(t, n.URL()))
	n.Stop()
	n.RestoreStore(copied)
	n.Start()
	if got := held(t, n.URL()); got != 1 {
		t.Errorf("%d messages after the roll back, want 1", got)
	}
}

func TestNATSPaused(t *testing.T) {
	n := cluster.StartNATS(t)
	js := connect(t, n.URL())
	createStream(t, js, 1)
	n.Pause()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := js.Publish(ctx, "s.a", nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("publish while paused: %v, want %v", err, context.DeadlineExceeded)
	}
	n.Continue()
	publish(t, js)
	n.Pause() // cleanup must end a paused server too
}

func TestNATSOptions(t *testing.T) {
	store := t.TempDir()
	n := cluster.StartNATS(t,
		cluster.NATSMaxPayload(4096),
		cluster.NATSStoreDir(store),
		cluster.NATSUser("ada", "secret", `{publish: [">"], subscribe: [">"]}`),
		cluster.NATSConfig("ping_interval: 7"),
	)
	if _, err := nats.Connect(n.URL()); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("connect without a user: %v, want %v", err, nats.ErrAuthorization)
	}
	nc, err := nats.Connect(n.URL(), nats.UserInfo("ada", "secret"))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if got := nc.MaxPayload(); got != 4096 {
		t.Errorf("max payload %d, want 4096", got)
	}
	if _, err := os.Stat(filepath.Join(store, "jetstream")); err != nil {
		t.Errorf("store folder not used: %v", err)
	}
}

func TestNATSClusterSurvivesOneNode(t *testing.T) {
	c := cluster.StartNATSCluster(t, 3)
	if n := strings.Count(c.URL(), "nats://"); n != 3 {
		t.Fatalf("URL %s names %d nodes, want 3", c.URL(), n)
	}
	createStream(t, connect(t, c.URL()), 3)
	publish(t, connect(t, c.URL()))
	stream, err := connect(t, c.URL()).Stream(t.Context(), "S")
	if err != nil {
		t.Fatal(err)
	}
	leader := c.Node(stream.CachedInfo().Cluster.Leader)
	leader.Kill()
	eventually(t, func(ctx context.Context) error {
		js := connect(t, c.URL())
		_, err := js.Publish(ctx, "s.a", nil)
		return err
	})
	leader.Start()
	c.WaitReady()
	c.Stop()
	c.Start()
	eventually(t, func(ctx context.Context) error {
		_, err := connect(t, c.URL()).Publish(ctx, "s.a", nil)
		return err
	})
}

// eventually repeats do until it succeeds.
func eventually(t *testing.T, do func(context.Context) error) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		err := do(ctx)
		if err == nil {
			cancel()
			return
		}
		if time.Now().After(deadline) {
			cancel()
			t.Fatal(err)
		}
		<-ctx.Done()
		cancel()
	}
}
