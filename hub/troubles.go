package hub

import (
	"log/slog"
	"time"

	"github.com/replhub/replhub/hub/internal/episode"
)

// settleTrouble is for how long work that a hub repeats must go well for trouble
// with it to be over.
const settleTrouble = 5 * time.Second

// troubles are the episodes of what a hub does again and again. The
// rooms keep their own.
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
