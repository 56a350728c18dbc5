package hub_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/digest"
)

// digests asks for digests from the first row to the last, and joins them.
func (w *world) digests(service string, q contract.DigestQuery) (whole contract.Digested, sums digest.Sums) {
	w.t.Helper()
	for {
		var part contract.Digested
		request, err := json.Marshal(contract.Digest{Entity: "user", After: whole.After, DigestQuery: q})
		if err == nil {
			err = w.call("replhub.digest."+service, string(request), &part)
		}
		var read digest.Sums
		if err == nil {
			err = read.UnmarshalBinary(part.Sums)
		}
		if err == nil && sums != nil {
			err = sums.Join(read)
		} else {
			sums = read
		}
		if err != nil {
			w.t.Fatal(err)
		}
		whole.Keys, whole.Values = append(whole.Keys, part.Keys...), append(whole.Values, part.Values...)
		whole.Hashes = append(whole.Hashes, part.Hashes...)
		whole.After, whole.Rows, whole.Unjudged = part.After, whole.Rows+part.Rows, whole.Unjudged+part.Unjudged
		if part.End {
			return whole, sums
		}
	}
}

// A digest is of the rows as the service gets them. The owner makes it where no row has to
// be judged, and then no row is sent.
func TestDigestIsOfWhatTheServiceGets(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	u := newUsers(1500)
	conn := w.connect()
	serveOn(t, conn, u.snapshot)
	columns := []contract.DigestColumn{{Path: "id", Form: "text"}, {Path: "n", Form: "number"}, {Path: "secret", Form: "bool"}}
	for _, c := range []struct {
		service, interest string
		gets              func(key string) bool
		payload           string // with %s for the key
		atOwner           bool
	}{
		{"plain", `{"entity":"user"}`, all, `{"id":%q,"n":0,"secret":true}`, true},
		{"narrow", `{"entity":"user","fields":["id"]}`, all, `{"id":%q}`, true},
		{"deletes", `{"entity":"user","ops":["delete"],"fields":["n","id"]}`, all, `{"id":%q,"n":0}`, true},
		{"filtered", `{"entity":"user","filter":"key < 'k000700'"}`, func(key string) bool { return key < "k000700" }, `{"id":%q,"n":0,"secret":true}`, false},
		{"partly", `{"entity":"user","fields":["id","secret.x"]}`, all, `{"id":%q}`, false},
	} {
		w.register(c.service, `{"interests":[`+c.interest+`]}`)
		ask := columns
		if c.service == "partly" {
			ask = []contract.DigestColumn{columns[0], {Path: "secret", Form: "json"}}
		}
		want, rows := make(digest.Sums, 64), uint64(0)
		for key := range u.all() {
			if c.gets(key) {
				rows++
				want.Add(key, digest.Hash(key, digest.NewColumns(ask).Of(fmt.Appendf(nil, c.payload, key))))
			}
		}
		before := conn.Stats()
		whole, sums := w.digests(c.service, contract.DigestQuery{Columns: ask, Buckets: 64})
		if !slices.Equal(sums, want) || whole.Rows != rows {
			t.Errorf("%s: other sums than those of the %d rows that the service gets, of %d rows", c.service, rows, whole.Rows)
		}
		if sent := conn.Stats().OutMsgs - before.OutMsgs; (sent < 20) != c.atOwner {
			t.Errorf("%s: the owner sent %d messages", c.service, sent)
		}
		list := digest.NewSet(64)
		list.Add(digest.Bucket("k000042", 64))
		some, _ := w.digests(c.service, contract.DigestQuery{Columns: ask, Buckets: 64, List: list})
		if !slices.Contains(some.Keys, "k000042") || len(some.Keys) > 100 || len(some.Hashes) != 8*len(some.Keys) {
			t.Errorf("%s: %d keys, %d bytes of hashes", c.service, len(some.Keys), len(some.Hashes))
		}
		one, _ := w.digests(c.service, contract.DigestQuery{Columns: ask, Buckets: 1, Keys: []string{"k000042", "none"}})
		if !slices.Equal(one.Keys, []string{"k000042"}) || one.Values[0][0] != "tk000042" {
			t.Errorf("%s: keys %v, values %v", c.service, one.Keys, one.Values)
		}
	}
	var none contract.Digested
	if err := w.call("replhub.digest.plain", `{"entity":"tenant","buckets":1,"columns":[]}`, &none); err == nil {
		t.Error("a digest of an entity that the service is not registered for")
	}
}

func all(string) bool { return true }

func serveOn(t *testing.T, conn *nats.Conn, rows replhub.SnapshotFunc) {
	t.Helper()
	serveEntity(t, conn, "user", rows)
}

func serveEntity(t *testing.T, conn *nats.Conn, entity string, rows replhub.SnapshotFunc) {
	t.Helper()
	serveRows(t, conn, entity, replhub.Rows{All: rows})
}

func serveRows(t *testing.T, conn *nats.Conn, entity string, rows replhub.Rows) {
	t.Helper()
	client, err := replhub.Connect(t.Context(), replhub.Config{Conn: conn, Service: "accounts", Logger: quiet(t)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- client.ServeRows(ctx, entity, rows) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		client.Close()
	})
}

// A digest tells a service nothing that a policy hides from it.
func TestDigestObeysThePolicy(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	w.serve("accounts", newUsers(10).snapshot)
	w.register("s", `{"entities":["user"]}`)
	var set contract.PolicySet
	if err := w.call("replhub.policy.user", `{"allow":{"s":{"fields":["id"],"filter":"key != 'k000003'"}}}`, &set); err != nil {
		t.Fatal(err)
	}
	ask := contract.DigestQuery{Columns: []contract.DigestColumn{{Path: "n", Form: "number"}}, Buckets: 1, Keys: []string{"k000002", "k000003"}}
	got, _ := w.digests("s", ask)
	if !slices.Equal(got.Keys, []string{"k000002"}) || got.Values[0][0] != digest.Null {
		t.Errorf("keys %v, values %v", got.Keys, got.Values)
	}
	ask.Keys = nil
	if whole, _ := w.digests("s", ask); got.Rows != 1 || whole.Rows != 9 || !strings.HasPrefix(got.After, "\n") || !strings.HasPrefix(whole.After, "\n") {
		t.Errorf("the replies tell of %d and %d rows, read up to %q and %q", got.Rows, whole.Rows, got.After, whole.After)
	}
	if err := w.call("replhub.policy.user", `{"allow":{"other":{}}}`, &set); err != nil {
		t.Fatal(err)
	}
	var none contract.Digested
	if err := w.call("replhub.digest.s", `{"entity":"user","buckets":1,"columns":[]}`, &none); err == nil {
		t.Errorf("a digest of rows that the policy does not allow: %+v", none)
	}
}
