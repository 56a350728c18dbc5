package embedded

import (
	"testing"
	"time"
)

func TestSyncSettingsReachTheServer(t *testing.T) {
	s, err := Start(t.Context(), Config{Port: FreePort, SyncAlways: true, SyncInterval: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	got := s.nats.JetStreamConfig()
	if !got.SyncAlways || got.SyncInterval != time.Minute {
		t.Errorf("SyncAlways %v, SyncInterval %s; want true, 1m0s", got.SyncAlways, got.SyncInterval)
	}
}
