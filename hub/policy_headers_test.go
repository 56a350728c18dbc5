package hub_test

import "testing"

// TestDeleteThatIsNotAllowedIsBare: a delete that the policy's filter does not pass has
// neither the payload nor the publisher's headers, which may say as much.
func TestDeleteThatIsNotAllowedIsBare(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	w.register("s", `{"entities":["user"]}`)
	w.policy("user", `{"allow":{"s":{"filter":"data.country == 'DE'"}}}`)
	w.publish("db.user.delete", `{"id":"1","country":"FR"}`, "X-Country", "FR")
	w.publish("db.user.delete", `{"id":"2","country":"DE"}`, "X-Country", "DE")
	copies := w.copies("s", 2)
	if m := copies[0]; len(m.Data) > 0 || m.Header.Get("X-Country") != "" || m.Header.Get("Replhub-Key") != "1" {
		t.Errorf("not allowed: %q %s", m.Header, m.Data)
	}
	if m := copies[1]; len(m.Data) == 0 || m.Header.Get("X-Country") != "DE" {
		t.Errorf("allowed: %q %s", m.Header, m.Data)
	}
}
