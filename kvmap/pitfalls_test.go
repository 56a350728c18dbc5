package kvmap_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/internal/tree"
	"github.com/replhub/replhub/internal/tree/treetest"
	"github.com/replhub/replhub/kvmap"
)

// alone is a server, a client that is not the map's, and a map that has no
// periodic reading to lean on.
func alone(t *testing.T) (jetstream.JetStream, kvmap.Config) {
	t.Helper()
	cfg := config(t)
	cfg.Resync = time.Hour
	_, addr := startServer(t)
	return connect(t, addr), cfg
}

func mustPut(t *testing.T, m *kvmap.Map, path, value string) {
	t.Helper()
	treetest.MustPut(t, m, path, value, tree.Any)
}

// TestBucketDeleted: the new bucket begins at sequence 1; who goes on from
// the old sequence hears nothing.
func TestBucketDeleted(t *testing.T) {
	js, cfg := alone(t)
	m := newMap(t, js, cfg)
	m.Join("hubs/a", []byte("1"))
	treetest.Start(t, m)
	treetest.Loaded(t, m)
	for i := range 50 {
		mustPut(t, m, "services/a", fmt.Sprint(i))
	}
	treetest.Await(t, m, "the newest", treetest.Has("services/a", "49"))
	if err := js.DeleteStream(t.Context(), "KV_REPLHUB"); err != nil {
		t.Fatal(err)
	}
	treetest.Await(t, m, "the empty bucket", treetest.Lacks("services/a"))
	treetest.Await(t, m, "the member in the new bucket", treetest.Has("hubs/a", "1"))
	mustPut(t, m, "services/b", "1")
	treetest.Await(t, m, "a record in the new bucket", treetest.Has("services/b", "1"))
}

// TestGapIsNoticed: somebody else takes messages of the map's consumer.
func TestGapIsNoticed(t *testing.T) {
	js, cfg := alone(t)
	m := start(t, js, cfg)
	other := start(t, connect(t, js.Conn().ConnectedAddr()), cfg)
	stream, err := js.Stream(t.Context(), "KV_REPLHUB")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for name := range stream.ConsumerNames(t.Context()).Name() {
		names = append(names, name)
	}
	if len(names) != 2 {
		t.Fatalf("consumers %q, want two", names)
	}
	records := 0
	for _, name := range names {
		thief, err := stream.Consumer(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		stolen, err := thief.Fetch(1, jetstream.FetchMaxWait(5*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		for got := false; !got; records++ {
			mustPut(t, m, fmt.Sprintf("services/s%d", records), "1")
			select {
			case msg := <-stolen.Messages():
				if msg == nil {
					t.Fatalf("nothing to steal of %s: %v", name, stolen.Error())
				}
				got = true
			default:
			}
		}
	}
	// The gap shows with the next message.
	mustPut(t, m, "services/last", "1")
	for _, m := range []*kvmap.Map{m, other} {
		treetest.Await(t, m, "every record", func(s *tree.Snapshot) bool { return len(s.Entries) == records+1 })
	}
}

// TestResync: purging a key by hand removes it without a word.
func TestResync(t *testing.T) {
	js, cfg := alone(t)
	cfg.Resync = 200 * time.Millisecond
	m := start(t, js, cfg)
	mustPut(t, m, "services/a", "1")
	mustPut(t, m, "services/b", "1")
	treetest.Await(t, m, "both", func(s *tree.Snapshot) bool { return len(s.Entries) == 2 })
	stream, err := js.Stream(t.Context(), "KV_REPLHUB")
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Purge(t.Context(), jetstream.WithPurgeSubject("$KV.REPLHUB.services.a")); err != nil {
		t.Fatal(err)
	}
	treetest.Await(t, m, "one left", func(s *tree.Snapshot) bool { return len(s.Entries) == 1 })
}

// TestAdoptsBucket: a bucket as "nats kv add" makes it.
func TestAdoptsBucket(t *testing.T) {
	js, cfg := alone(t)
	kv, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "REPLHUB", History: 5, Description: "ours"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.Put(t.Context(), "services.a", []byte("by hand")); err != nil {
		t.Fatal(err)
	}
	observer := start(t, js, cfg)
	treetest.Await(t, observer, "what was there", treetest.Has("services/a", "by hand"))
	m := newMap(t, connect(t, js.Conn().ConnectedAddr()), cfg)
	m.Join("hubs/a", nil)
	treetest.Start(t, m)
	treetest.Await(t, observer, "a member", treetest.Has("hubs/a", ""))
	stream, err := js.Stream(t.Context(), "KV_REPLHUB")
	if err != nil {
		t.Fatal(err)
	}
	got := stream.CachedInfo().Config
	if got.AllowDirect || !got.AllowMsgTTL || got.MaxMsgsPerSubject != 5 || got.Description != "ours" {
		t.Errorf("the bucket became %+v", got)
	}
	// The nats tools go on working on it.
	if kv, err = js.KeyValue(t.Context(), "REPLHUB"); err != nil {
		t.Fatal(err)
	}
	if e, err := kv.Get(t.Context(), "services.a"); err != nil || string(e.Value()) != "by hand" {
		t.Errorf("kv get: %v", err)
	}
	if err := kv.Delete(t.Context(), "services.a"); err != nil {
		t.Fatal(err)
	}
	treetest.Await(t, observer, "a deletion by hand", treetest.Lacks("services/a"))
	if _, err := observer.Get(t.Context(), "services/a"); !errors.Is(err, tree.ErrNotFound) {
		t.Errorf("get what was deleted by hand: %v", err)
	}
	treetest.MustPut(t, m, "services/a", "again", tree.Absent)
	treetest.Await(t, observer, "the record made again", treetest.Has("services/a", "again"))
}

func TestGarbage(t *testing.T) {
	js, cfg := alone(t)
	m := start(t, js, cfg)
	for _, key := range []string{"services.a/b", "services.a=b", "stranger.x", "services.\u0430", "entities.user", "services.a.b"} {
		if _, err := js.Publish(t.Context(), "$KV.REPLHUB."+key, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := js.Publish(t.Context(), "$KV.REPLHUB.services.big", make([]byte, 256<<10+1)); err != nil {
		t.Fatal(err)
	}
	mustPut(t, m, "services/good", "1")
	s := treetest.Await(t, m, "the good one", treetest.Has("services/good", "1"))
	if len(s.Entries) != 1 {
		t.Errorf("%d records, want 1", len(s.Entries))
	}
	if n := len(m.Alarms()); n != 7 {
		t.Errorf("%d alarms, want 7: %q", n, m.Alarms())
	}
	mustPut(t, m, "services/big", "small")
	treetest.Await(t, m, "the big one, now small", treetest.Has("services/big", "small"))
	if strings.Contains(strings.Join(m.Alarms(), "\n"), "big") {
		t.Error("its alarm is still up")
	}
}

// TestMemberRefreshIsNoChange: a member that is put again wakes nobody.
func TestMemberRefreshIsNoChange(t *testing.T) {
	js, cfg := alone(t)
	m := newMap(t, js, cfg)
	m.Join("hubs/a", []byte("1"))
	treetest.Start(t, m)
	treetest.Await(t, m, "the member", treetest.Has("hubs/a", "1"))
	changed := m.Changed()
	first, err := m.Get(t.Context(), "hubs/a")
	if err != nil {
		t.Fatal(err)
	}
	treetest.Until(t, "three refreshes", func() bool {
		e, err := m.Get(t.Context(), "hubs/a")
		return err == nil && e.Version >= first.Version+3
	})
	select {
	case <-changed:
		t.Error("woken by a refresh")
	default:
	}
}

// TestReplicas: all of it on a cluster's terms is the e2e suite's; here, that
// a bucket that cannot be made is an error in Status, not the end of Run.
func TestReplicas(t *testing.T) {
	js, cfg := alone(t)
	cfg.Replicas = 3
	m := newMap(t, js, cfg)
	treetest.Start(t, m)
	treetest.Until(t, "the reason", func() bool { return strings.Contains(m.Status().Err, "replicas") })
}

func TestConfigNamesTheField(t *testing.T) {
	js, err := jetstream.New(&nats.Conn{})
	if err != nil {
		t.Fatal(err)
	}
	records := []string{"services/*"}
	for field, cfg := range map[string]kvmap.Config{
		"Bucket":      {Records: records, Bucket: "a.b"},
		"Replicas":    {Records: records, Replicas: 6},
		"Records":     {},
		"MemberTTL":   {Records: records, MemberTTL: 1500 * time.Millisecond},
		"CallTimeout": {Records: records, CallTimeout: -1},
		"Resync":      {Records: records, Resync: -1},
		"MaxValue":    {Records: records, MaxValue: -1},
	} {
		if _, err := kvmap.New(js, cfg); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: error %v does not name it", field, err)
		}
	}
}
