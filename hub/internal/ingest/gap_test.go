package ingest_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/ingest"
)

// Where another replica may have the lost events, nothing is given up.
func TestGapIsFinalWithoutReplicas(t *testing.T) {
	gap := ingest.Gap{
		After: ingest.Mark{Position: event.Position{Epoch: 1, Seq: 50}}, Next: ingest.Mark{Position: event.Position{Epoch: 1, Seq: 60}},
		Leader: "n2", Replicas: 1,
	}
	if err := gap.Err(); !errors.Is(err, ingest.ErrTrimmed) || !strings.Contains(err.Error(), "events 51 to 60") {
		t.Errorf("one replica: %v", err)
	}
	gap.Replicas = 3
	if err := gap.Err(); errors.Is(err, ingest.ErrTrimmed) || !strings.Contains(err.Error(), "server n2 has lost events 51 to 60") {
		t.Errorf("three replicas: %v", err)
	}
}
