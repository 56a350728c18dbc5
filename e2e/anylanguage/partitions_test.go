package anylanguage_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"
)

// Instances that are started, killed, frozen and stopped share the partitions of
// a queue by key, and each key's events are handled in their order.
func TestPartitionsKeepTheOrder(t *testing.T) {
	t.Parallel()
	w := start(t, "ledger", `{"order":"key","partitions":4,"ack_wait":"60s"}`)
	a, b := w.instance("a", program), w.instance("b", program)
	const keys = 20
	n := 0
	// more publishes a change of every key, and waits until all are handled.
	more := func(what string) {
		t.Helper()
		n++
		round := make([]user, keys)
		for k := range round {
			round[k] = user{ID: fmt.Sprint("u", k), Name: fmt.Sprint("name ", n), N: n}
		}
		began := time.Now()
		w.publish(round...)
		w.await(what, func() bool {
			all := w.handled()
			return !slices.ContainsFunc(round, func(u user) bool {
				return !slices.ContainsFunc(by(u.ID, all), func(h handling) bool { return h.n == u.N })
			})
		})
		t.Logf("%s: %s", what, time.Since(began).Round(time.Millisecond))
	}
	// hold has an instance take an event and not get through with it, and returns
	// which. A newer event of the key is behind it.
	hold := func(key string) string {
		t.Helper()
		w.publish(user{ID: key, N: 1, Hold: true, Name: "old"})
		w.await(key+" is in hand", func() bool { return len(by(key, w.handled())) == 1 })
		w.publish(user{ID: key, N: 2, Name: "new"})
		return by(key, w.handled())[0].instance
	}

	more("two instances")
	w.await("both have a share", func() bool {
		more("a round for both")
		return share(w.handled(), "a") > 0 && share(w.handled(), "b") > 0
	})

	killed, left := a, b
	if hold("killed") == b.name {
		killed, left = b, a
	}
	if err := killed.Kill(); err != nil {
		t.Fatal(err)
	}
	w.exec("INSERT INTO released VALUES ('killed')")
	c := w.instance("c", program)
	more("one killed")
	w.await("the new one has a share", func() bool { more("a round for both"); return share(w.handled(), "c") > 0 })

	frozen, other := left, c
	if hold("frozen") == c.name {
		frozen, other = c, left
	}
	if err := frozen.Freeze(); err != nil {
		t.Fatal(err)
	}
	w.exec("INSERT INTO released VALUES ('frozen')")
	more("one frozen")
	before := share(w.handled(), frozen.name)
	if err := frozen.Thaw(); err != nil {
		t.Fatal(err)
	}
	w.await("the thawed one has a share again", func() bool { more("a round for both"); return share(w.handled(), frozen.name) > before })

	w.ends(other)
	more("one stopped")
	w.awaitSettled()
	w.ends(frozen)

	all := w.handled()
	for _, h := range all {
		of := by(h.key, all)
		if !slices.IsSortedFunc(of, func(x, y handling) int { return x.n - y.n }) {
			t.Fatalf("key %s was handled out of order: %v", h.key, of)
		}
	}
	for _, key := range []string{"killed", "frozen"} {
		of := by(key, all)
		if len(of) < 3 || of[0].instance == of[1].instance || of[1].n != 1 {
			t.Errorf("key %s was handled %v: expected its first event at two instances, and then the newer one", key, of)
		}
		if got := w.name(key); got != "new" {
			t.Errorf("user %s is %q", key, got)
		}
	}
}

// Without the call back, what a killed instance had in hand comes when ack_wait
// is over, behind newer events of its key: the page says so. It is not applied
// over them, a delete included.
func TestNewerEventsComeFirstWithoutTheCallBack(t *testing.T) {
	t.Parallel()
	w := start(t, "careless", `{"order":"key","partitions":1,"ack_wait":"60s"}`)
	careless := without(t, "partition.mjs", "await callBack(nc, service, p);")
	a := w.instance("a", careless)
	w.publish(user{ID: "42", N: 1, Hold: true, Name: "old"})
	w.await("the event is in hand", func() bool { return len(w.handled()) == 1 })
	w.publish(user{ID: "42", N: 2, Name: "new"}, user{ID: "42", N: 3})
	if err := a.Kill(); err != nil {
		t.Fatal(err)
	}
	w.exec("INSERT INTO released VALUES ('42')")
	b := w.instance("b", careless)
	w.await("the newer events are handled", func() bool { return len(w.handled()) == 3 })

	// As the server does by itself when ack_wait is over.
	consumer, err := w.js.Consumer(t.Context(), "SUB_careless", "workers-0")
	if err != nil {
		t.Fatal(err)
	}
	info := consumer.CachedInfo()
	for seq := info.AckFloor.Stream + 1; seq <= info.Delivered.Stream; seq++ {
		again := fmt.Sprintf("$JS.ACK.SUB_careless.workers-0.1.%d.%d.0.0", seq, info.Delivered.Consumer)
		if err := w.js.Conn().Publish(again, []byte("-NAK")); err != nil {
			t.Fatal(err)
		}
	}
	w.awaitSettled()
	w.ends(b)
	if got := fmt.Sprint(w.handled()); got != "[a:42#1 b:42#2 b:42#3 b:42#1]" {
		t.Errorf("handled as %s", got)
	}
	if got := w.name("42"); got != "" {
		t.Errorf("the deleted user is back as %q: an older event was applied over the delete", got)
	}
}

// Without any hub an instance keeps its partitions, longer than a lease, and
// handles what is in its service's stream. What fails is tried again at once, in
// its place.
func TestPartitionsStayWithoutAHub(t *testing.T) {
	t.Parallel()
	w := start(t, "patient", `{"order":"key","partitions":1,"max_deliver":3}`)
	a := w.instance("a", program)
	w.publish(user{ID: "held", N: 1, Name: "old", Hold: true}, user{ID: "held", N: 2, Name: "new"})
	w.await("the event is in hand", func() bool { return len(w.handled()) == 1 })
	w.hub.StopHub(t)
	lease := time.NewTimer(4 * time.Second) // more than the lease of 3 s
	defer lease.Stop()
	<-lease.C
	w.exec("INSERT INTO released VALUES ('held')")
	w.awaitSettled()
	if got := fmt.Sprint(w.handled()); got != "[a:held#1 a:held#2]" {
		t.Errorf("handled as %s", got)
	}
	w.hub.StartHub(t)

	// An event that fails holds up what is behind it until it is a dead letter, and
	// so does one that is parked, which is tried once.
	w.publish(user{ID: "bad", N: 1, Name: "bad", Fail: "no luck"}, user{ID: "bad", N: 2, Name: "better"})
	w.publish(user{ID: "odd", N: 1, Name: "odd", Park: "not allowed"}, user{ID: "odd", N: 2, Name: "even"})
	w.await("the last event is handled", func() bool { return w.name("odd") == "even" })
	w.awaitSettled()
	if got := fmt.Sprint(w.handled()[2:]); got != "[a:bad#1 a:bad#1 a:bad#1 a:bad#2 a:odd#1 a:odd#2]" {
		t.Errorf("handled as %s", got)
	}
	letters := map[string]string{"bad": "max_deliver: not acknowledged within 3 deliveries (max_deliver)", "odd": "parked: not allowed"}
	w.await("both bad events are dead letters", func() bool { return maps.Equal(w.letters(), letters) })
	w.ends(a)
}
