package lane_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/natstest"
	"github.com/replhub/replhub/subjects"
)

// A redriven copy is an old event: were it taken for where the lane stands, the
// lane would copy everything since once more.
func TestRedrivenCopyIsNotWhereTheLaneStands(t *testing.T) {
	js := natstest.Start(t).JetStream()
	service, err := subjects.ParseName("sharing")
	if err != nil {
		t.Fatal(err)
	}
	appender, err := lane.NewAppender(js, lane.Atomic)
	if err != nil {
		t.Fatal(err)
	}
	defer appender.Close()
	mark := ingest.Mark{Position: event.Position{Epoch: 1, Seq: 1}}
	first := lane.First(mark, lane.DefaultQueue(), 0)
	if err := lane.Create(t.Context(), js, appender, service, 1, first, "test"); err != nil {
		t.Fatal(err)
	}
	copied := func(seq string, redriven bool) lane.Message {
		h := map[string][]string{
			contract.HeaderEpoch: {"1"}, contract.HeaderSeq: {seq},
			contract.HeaderTime: {time.Unix(9, 0).UTC().Format(time.RFC3339Nano)},
		}
		if redriven {
			h[contract.HeaderRedriven] = []string{"1"}
		}
		return lane.Message{Subject: "sub.sharing.user.update.0", Header: event.NewHeader(h)}
	}
	// No state record behind it: as bad as it could be.
	msgs := []lane.Message{copied("9", false), copied("3", true), copied("4", true)}
	if _, err := appender.Append(t.Context(), subjects.LaneStream(service), 1, msgs); err != nil {
		t.Fatal(err)
	}
	tip, err := lane.ReadTip(t.Context(), js, service)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(uint64(9), tip.State.Pos.Seq); diff != "" || tip.Foreign != 0 || tip.Last != 4 {
		t.Errorf("tip %+v: %s", tip, diff)
	}
}
