package hub

import (
	"log/slog"
	"time"

	"github.com/replhub/replhub/hub/internal/episode"
)

// settleTrouble is how long repeated work of a hub must succeed before trouble with
// it counts as over.
const settleTrouble = 5 * time.Second

// troubles are the episodes of trouble with the hub's repeated work. The rooms keep
// their own.
type troubles struct {
	reachIngest, trimIngest *episode.Log
	trimLane                *episode.Logs
}

func newTroubles(log *slog.Logger) troubles {
	one := func(what string) *episode.Log { return episode.NewLog(log, what, settleTrouble) }
	return troubles{
		reachIngest: one("reach ingest"), trimIngest: one("trim ingest"), trimLane: episode.NewLogs(log, "trim lane", settleTrouble),
	}
}
