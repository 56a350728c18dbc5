package anylanguage_test

import (
	"fmt"
	"maps"
	"testing"
)

// Two instances share a queue without an order. One of them is killed with an
// event in hand, which the other gets after ack_wait; a newer one of its key stays.
func TestWorkersShareAQueue(t *testing.T) {
	t.Parallel()
	w := start(t, "sharing", `{"ack_wait":"2s","max_deliver":3}`)
	a, b := w.instance("a", program), w.instance("b", program)

	const keys, changes = 10, 200
	for i := range changes / keys {
		round := make([]user, keys)
		for k := range round {
			round[k] = user{ID: fmt.Sprint("u", k), Name: fmt.Sprint("name ", i), N: i}
		}
		w.publish(round...)
	}
	w.publish(user{ID: "gone", Name: "was here"}, user{ID: "gone"})
	w.publish(user{ID: "bad", Name: "bad", Park: "this name is not allowed"}, user{ID: "broken", Name: "broken", Fail: "no luck"})
	letters := map[string]string{
		"bad":    "parked: this name is not allowed",
		"broken": "max_deliver: not acknowledged within 3 deliveries (max_deliver)",
	}
	w.await("both bad events are dead letters", func() bool { return maps.Equal(w.letters(), letters) })

	w.publish(user{ID: "held", Name: "old", N: 1, Hold: true})
	w.await("an instance has the held event in hand", func() bool { return len(by("held", w.handled())) == 1 })
	killed, other := a, b
	if by("held", w.handled())[0].instance == b.name {
		killed, other = b, a
	}
	if err := killed.Kill(); err != nil {
		t.Fatal(err)
	}
	w.publish(user{ID: "held", Name: "new", N: 2})
	w.exec("INSERT INTO released VALUES ('held')")
	w.awaitSettled()
	w.ends(other)

	all := w.handled()
	if got := w.name("held"); got != "new" {
		t.Errorf("the held user is %q after %v", got, by("held", all))
	}
	for k := range keys {
		id := fmt.Sprint("u", k)
		if got, want := w.name(id), fmt.Sprint("name ", changes/keys-1); got != want {
			t.Errorf("user %s is %q, expected %q", id, got, want)
		}
		if n := len(by(id, all)); n < changes/keys {
			t.Errorf("user %s was handled %d times, expected %d", id, n, changes/keys)
		}
	}
	if got := w.name("gone"); got != "" {
		t.Errorf("a deleted user is back as %q", got)
	}
	if n := len(by("broken", all)); n != 3 {
		t.Errorf("the event that always fails was handled %d times, expected max_deliver, which is 3", n)
	}
	if byA, byB := share(all, "a"), share(all, "b"); byA == 0 || byB == 0 {
		t.Errorf("the instances handled %d and %d events: they did not share them", byA, byB)
	}
	if got := w.letters(); !maps.Equal(got, letters) {
		t.Errorf("the dead letters are %q", got)
	}
}

// share is how many calls were an instance's.
func share(all []handling, instance string) (n int) {
	for _, h := range all {
		if h.instance == instance {
			n++
		}
	}
	return n
}
