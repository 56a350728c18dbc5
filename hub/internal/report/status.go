package report

import (
	"context"
	"fmt"
	"time"

	"github.com/replhub/replhub/hub/internal/alarm"
	"github.com/replhub/replhub/hub/internal/ingest/retention"
	"github.com/replhub/replhub/internal/contract"
)

// Status answers replhub.status.
func (r *Reporter) Status(ctx context.Context) (contract.Status, error) {
	b, err := r.cfg.Ingest.Bounds(ctx)
	if err != nil {
		return contract.Status{}, err
	}
	registry := r.cfg.Registry.Status()
	status := contract.Status{
		Hub: r.cfg.Hubs.ID(), Version: r.cfg.Version, Started: r.cfg.Started, Time: time.Now(), Hubs: r.cfg.Hubs.Members(),
		Ready: r.cfg.Hub.Dispatching(), Degraded: r.listed(r.Degraded()),
		Registry: contract.RegistryStatus{
			Kind: r.cfg.RegistryKind, Connected: registry.Connected, Since: registry.Since, Error: registry.Err,
			Alarms: r.listed(append(r.cfg.Alarms.Texts(), r.cfg.Registry.Alarms()...)),
		},
		Ingest: contract.IngestStatus{
			Stream: contract.StreamIngest, Epoch: r.cfg.Ingest.Epoch(), FirstSeq: b.First, LastSeq: b.Last, Messages: b.Messages,
			Bytes: b.Bytes, MaxBytes: r.cfg.IngestMaxBytes, Fill: float64(b.Bytes) / float64(r.cfg.IngestMaxBytes),
			Floor: r.cfg.Ingest.Floor(), Rate: r.cfg.Ingest.Rate(b), Full: r.cfg.Hub.IngestFull(),
		},
	}
	noted, err := r.cfg.Ingest.Noted(ctx)
	if err != nil {
		return contract.Status{}, err
	}
	status.Erasures = erasures(noted)
	status.Lanes, err = r.countLanes(ctx)
	return status, err
}

// maxErasures bounds the erasures that status lists.
const maxErasures = 20

// erasures lists the last erasures.
func erasures(noted []retention.Erasure) []contract.Erasure {
	var list []contract.Erasure
	for _, n := range noted[max(len(noted)-maxErasures, 0):] {
		e := contract.Erasure{
			ID: n.ID, Entity: n.Entity, Key: n.Key, Hub: n.Hub, Begun: n.Begun,
			Events: n.Events, Copies: n.Copies, DeadLetters: n.Letters, Records: n.Records,
		}
		if !n.Ended.IsZero() {
			e.Ended = &n.Ended
		}
		list = append(list, e)
	}
	return list
}

// Degraded lists the troubles of a hub that works, but not as it should.
func (r *Reporter) Degraded() []string {
	reasons := []string{}
	if s := r.cfg.Registry.Status(); !s.Connected {
		reasons = append(reasons, "registry unreachable: "+s.Err)
	}
	if disk := r.cfg.Hub.Disk(); disk != "" {
		reasons = append(reasons, disk)
	}
	if full := r.cfg.Hub.IngestFull(); full != nil {
		reasons = append(reasons, full.Message)
	}
	if files := r.cfg.Hub.HTTP(); files != "" {
		reasons = append(reasons, files)
	}
	reasons = append(reasons, r.cfg.Hub.Account()...)
	reasons = append(reasons, r.cfg.Hub.Layout()...)
	reasons = append(reasons, r.cfg.Hub.Untrimmed()...)
	reasons = append(reasons, r.cfg.Alarms.Of(alarm.Setting)...)
	reasons = append(reasons, r.missingStreams()...)
	reasons = append(reasons, r.cfg.Lacking.Texts()...)
	reasons = append(reasons, r.cfg.Damaged()...)
	for _, l := range r.cfg.Lanes.All() {
		s := l.Status()
		switch {
		case s.State.Detached != nil:
			reasons = append(reasons, fmt.Sprintf("lane %s detached: %s", l.Service(), s.State.Detached.Reason))
		case l.Parked() != "":
			reasons = append(reasons, fmt.Sprintf("lane %s is incompatible: %s", l.Service(), l.Parked()))
		case l.Held() != "" && l.Owned():
			reasons = append(reasons, fmt.Sprintf("lane %s held: %s", l.Service(), l.Held()))
		case s.Stalled != "":
			reasons = append(reasons, fmt.Sprintf("lane %s stalled: %s (since %s)", l.Service(), s.Stalled, s.Since.UTC().Format(time.RFC3339)))
		case r.cfg.DeadLetters.OverQuota(l.Service()) != "":
			reasons = append(reasons, fmt.Sprintf("lane %s stalled: %s", l.Service(), r.cfg.DeadLetters.OverQuota(l.Service())))
		}
		for _, id := range sortedKeys(s.Waiting) {
			reasons = append(reasons, fmt.Sprintf("lane %s waits for a snapshot: %s", l.Service(), s.Waiting[id]))
		}
	}
	return reasons
}

// missingStreams describes the shared streams that are missing now.
func (r *Reporter) missingStreams() []string {
	var reasons []string
	for _, k := range r.cfg.Kept {
		if k.Missing() {
			reasons = append(reasons, fmt.Sprintf("stream %s is gone: somebody deleted it; it is created again within seconds", k.Name()))
		}
	}
	return reasons
}
