package hub_test

import (
	"testing"
	"time"
)

// Answers that were lost with a server are not waited for.
func TestStopDoesNotWaitForLostAnswers(t *testing.T) {
	w := newWorld(t)
	stop := w.startHub()
	w.register("s", `{"entities":["user"]}`)
	for range 100 { // more than a server can answer before it is gone
		if err := w.nc.PublishRequest("replhub.describe.s", "nobody", nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.nc.Flush(); err != nil {
		t.Fatal(err)
	}
	w.stopServer()
	w.startServer()
	began := time.Now()
	stop()
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("stopped after %s", took)
	}
}
