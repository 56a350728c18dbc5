package hub_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/digest"
)

// serveOld serves rows as the SDK did before it knew digests and keys: it ignores what it
// does not know.
func serveOld(t *testing.T, conn *nats.Conn, u *users) {
	t.Helper()
	_, err := conn.QueueSubscribe(contract.SubjectSnapshot+"user", contract.GroupSnapshot, func(m *nats.Msg) {
		var asked struct {
			After string `json:"after"`
			Limit int    `json:"limit"`
		}
		if err := json.Unmarshal(m.Data, &asked); err != nil {
			t.Error(err)
		}
		n, rows := 0, u.all()
		for _, key := range slices.Sorted(maps.Keys(rows)) {
			if key > asked.After && n < min(asked.Limit, few) {
				n++
				_ = conn.PublishMsg(&nats.Msg{Subject: m.Reply, Data: []byte(rows[key]), Header: nats.Header{
					contract.HeaderKey: {key}, contract.HeaderRow: {strconv.Itoa(n)},
				}})
			}
		}
		_ = conn.PublishMsg(&nats.Msg{Subject: m.Reply, Header: nats.Header{
			contract.HeaderSnapshot: {contract.SnapshotEnd}, contract.HeaderRow: {strconv.Itoa(n)}, contract.HeaderOrigin: {"accounts"},
		}})
	})
	if err == nil {
		err = conn.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// An owner of an earlier version answers with rows, and the hub does the rest.
func TestOwnerOfAnEarlierVersion(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	u := newUsers(700)
	serveOld(t, w.connect(), u)
	w.register("s", `{"entities":["user"]}`)
	ask := contract.DigestQuery{Columns: []contract.DigestColumn{{Path: "id", Form: "text"}}, Buckets: 64}
	want := make(digest.Sums, 64)
	for key := range u.all() {
		want.Add(key, digest.Hash(key, []string{"t" + key}))
	}
	whole, sums := w.digests("s", ask)
	if whole.Rows != 700 || !slices.Equal(sums, want) {
		t.Errorf("sums of %d rows, others than those of the rows", whole.Rows)
	}
	reply := w.backfill("s", `{"entity":"user","keys":["k000650","k000003","none"]}`)
	w.filled("s", reply.ID)
	got := told(w.settled("s"), reply.ID)
	if want := []string{"1 create k000003", "2 create k000650", "3 delete none"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
