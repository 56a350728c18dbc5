package hub_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/cluster"
	"github.com/replhub/replhub/zkmap"
)

// TestPolicyInZooKeeper: the policy lies at the entity's own node, above the interests.
// What is written there by hand is put in force, and what vanishes opens nothing, also
// while ZooKeeper is away.
func TestPolicyInZooKeeper(t *testing.T) {
	w := newWorld(t)
	z := cluster.StartZooKeeper(t)
	for _, id := range []string{"one", "two"} {
		registry, err := zkmap.New(zkmap.Config{
			Servers: z.Servers(), Root: "/replhub", Records: hub.RegistryRecords(), Folders: hub.RegistryFolders(),
			SessionTimeout: time.Second, Logger: quiet(t),
		})
		if err != nil {
			t.Fatal(err)
		}
		w.startHub(func(c *hub.Config) { c.ID, c.Registry, c.RegistryKind = id, registry, "zk" })
	}
	conn, _, err := zk.Connect(z.Servers(), time.Second, zk.WithLogInfo(false))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	const node = "/replhub/entities/user"
	w.register("s", `{"entities":["user"]}`)
	w.register("t", `{"entities":["user"]}`)
	w.policy("user", `{"allow":{"s":{"fields":["id","name"]}}}`)
	if data, _, err := conn.Get(node); err != nil || len(data) == 0 {
		t.Fatalf("%q, %v", data, err)
	}
	w.publish("db.user.create", `{"id":"1","name":"a","secret":"x"}`)
	if _, err := conn.Set(node, []byte(`{"v":1,"allow":{"s":{"fields":["id"]},"t":{"fields":["name"]}}}`), -1); err != nil {
		t.Fatal(err)
	}
	w.eventually("the policy written by hand in force", func() error {
		for _, service := range []string{"s", "t"} {
			status, err := w.describe(service)
			if err != nil {
				return err
			}
			if p := status.Interests[0].Policy; p == nil || len(p.Grant.Fields) != 1 {
				return fmt.Errorf("%+v", status.Interests)
			}
		}
		return nil
	})
	w.publish("db.user.create", `{"id":"2","name":"b","secret":"x"}`)
	if _, err := conn.Set(node, nil, -1); err != nil {
		t.Fatal(err)
	}
	w.awaitAlarm("the policy of user")
	if refusal := asRefusal(t, w.call("replhub.register.u", `{"entities":["user"]}`, nil)); refusal.Code != contract.CodeUnavailable {
		t.Error(refusal)
	}
	z.Stop()
	w.publish("db.user.create", `{"id":"3","name":"c","secret":"x"}`)
	for service, want := range map[string][]string{
		"s": {`{"id":"1","name":"a"}`, `{"id":"2"}`, `{"id":"3"}`}, "t": {`{"name":"b"}`, `{"name":"c"}`},
	} {
		for i, m := range w.copies(service, len(want)) {
			if string(m.Data) != want[i] {
				t.Errorf("%s got %s, want %s", service, m.Data, want[i])
			}
		}
	}
	if refusal := asRefusal(t, w.call("replhub.register.u", `{"entities":["user"]}`, nil)); refusal.Code != contract.CodeUnavailable {
		t.Error(refusal)
	}
}
