package report

import (
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/internal/contract"
)

// Figures are the numbers that this hub knows without asking the server.
type Figures struct {
	Hubs              int
	RegistryKind      string
	RegistryConnected bool
	Alarms            int
	Epoch, Floor      uint64
	IngestMaxBytes    int64
	// IngestFull is nil while ingest is not nearly full.
	IngestFull *contract.IngestFull
	Lanes      []LaneFigures
}

// LaneFigures are those of one lane.
type LaneFigures struct {
	Service string
	Owned   bool
	Counts  lane.Counts
}

// Dispatching reports whether ingest can be reached.
func (r *Reporter) Dispatching() bool { return r.cfg.Hub.Dispatching() }

// Figures returns the numbers of this moment.
func (r *Reporter) Figures() Figures {
	f := Figures{
		Hubs: len(r.cfg.Hubs.Members()), RegistryKind: r.cfg.RegistryKind, RegistryConnected: r.cfg.Registry.Status().Connected,
		Alarms: len(r.cfg.Alarms.Texts()) + len(r.cfg.Registry.Alarms()),
		Epoch:  r.cfg.Ingest.Epoch(), Floor: r.cfg.Ingest.Floor(), IngestMaxBytes: r.cfg.IngestMaxBytes,
		IngestFull: r.cfg.Hub.IngestFull(),
	}
	for _, l := range r.cfg.Lanes.All() {
		f.Lanes = append(f.Lanes, LaneFigures{Service: l.Service().String(), Owned: l.Owned(), Counts: l.Counts()})
	}
	return f
}
