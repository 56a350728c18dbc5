package hub_test

import (
	"testing"

	"github.com/replhub/replhub/internal/contract"
)

// A service whose stream somebody deleted is given up with a word; one whose stream
// can be read is not.
func TestLostLaneIsGivenUp(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	w.register("gone", `{"entities":["user"]}`)
	w.register("here", `{"entities":["user"]}`)
	w.deleteStream("SUB_gone")
	w.awaitAlarm("entities/user/gone", "its stream is gone")
	if refusal := asRefusal(t, w.call("replhub.drop.here", `{"lost":true}`, nil)); refusal.Code != contract.CodeInUse || refusal.Field != "lost" {
		t.Errorf("giving up a lane that can be read: %v", refusal)
	}
	if refusal := asRefusal(t, w.call("replhub.drop.nobody", `{"lost":true}`, nil)); refusal.Code != contract.CodeNotFound {
		t.Errorf("giving up a service that never was: %v", refusal)
	}
	w.eventually("the service to be given up", func() error { return w.call("replhub.drop.gone", `{"lost":true}`, nil) })
	w.awaitNoAlarm("entities/user/gone")
	w.register("gone", `{"entities":["user"]}`)
}
