package hub_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/contract"
)

// A limit that a record written by hand states is under the quota as well, whichever record
// is there first.
func TestQuotaOfARecordMadeByHand(t *testing.T) {
	w := newWorld(t)
	w.startHub(func(cfg *hub.Config) { cfg.MaxLaneBytes = 1 << 20 })
	w.put("services.s", `{"v":1,"max_bytes":1048577}`)
	w.put("entities.user.s", "")
	w.awaitAlarm("entities/user/s", contract.EnvQuotaLaneBytes)
	if _, err := w.js.Stream(t.Context(), "SUB_s"); err == nil {
		t.Error("a lane of more bytes than the quota allows was created")
	}
	if refusal := asRefusal(t, w.call("replhub.register.s", `{"entities":["user"]}`, nil)); refusal.Code != contract.CodeLimit || !strings.Contains(refusal.Message, "services/s") {
		t.Errorf("%v, want one that names the record", refusal)
	}
	w.put("services.s", `{"v":1,"max_bytes":1048576}`)
	w.eventually("the corrected record to be registered", func() error {
		_, err := w.describe("s")
		return err
	})
}

// Each quota refuses what is beyond it, and its error names it. What was there before goes
// on.
func TestQuotas(t *testing.T) {
	w := newWorld(t)
	w.startHub(func(cfg *hub.Config) { cfg.MaxLanes, cfg.MaxLaneBytes = 2, 1<<20 })
	w.register("a", `{"entities":["user"],"max_bytes":1048576}`)
	w.register("b", `{"entities":["user"]}`)
	if d, err := w.describe("b"); err != nil || d.MaxBytes != 1<<20 {
		t.Errorf("a lane that states nothing has %d bytes (%v), want no more than the quota", d.MaxBytes, err)
	}
	for _, tt := range []struct{ subject, request, names string }{
		{"replhub.register.c", `{"entities":["user"]}`, contract.EnvQuotaLanes},
		{"replhub.register.a", `{"entities":["user"],"max_bytes":1048577}`, contract.EnvQuotaLaneBytes},
	} {
		if refusal := asRefusal(t, w.call(tt.subject, tt.request, nil)); refusal.Code != contract.CodeLimit || !strings.Contains(refusal.Message, tt.names) {
			t.Errorf("%s %s: %v, want one that names %s", tt.subject, tt.request, refusal, tt.names)
		}
	}
	w.register("a", `{"entities":["user","tenant"]}`)
	if _, err := w.js.Stream(t.Context(), "SUB_c"); err == nil {
		t.Error("a refused registration left a lane")
	}
}

func TestQuotaOfRegistrations(t *testing.T) {
	w := newWorld(t)
	w.startHub(func(cfg *hub.Config) { cfg.MaxRegistrations = 1 })
	w.eventually("a refusal", func() error {
		err := w.call("replhub.register.a", `{"entities":["user"]}`, nil)
		if err == nil {
			return errors.New("it is in force") // a slow machine: a second had passed
		}
		if refusal := asRefusal(t, err); refusal.Code != contract.CodeUnavailable || !strings.Contains(refusal.Message, contract.EnvQuotaRegistrations) {
			t.Fatalf("%v, want one that names %s", refusal, contract.EnvQuotaRegistrations)
		}
		return nil
	})
	w.eventually("a registration", func() error { return w.call("replhub.register.b", `{"entities":["user"]}`, nil) })
}
