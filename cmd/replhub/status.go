package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/replhub/replhub/internal/contract"
)

func newStatus(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "status",
		GroupID: groupHub,
		Short:   "Show the hub, its registry and the ingest stream",
		Long: `Show the view of one hub: whether it can copy events, what is degraded, the other
hubs, the connection and the alarms of the registry, and how full the ingest stream
is.`,
		Example: `  replhub status
  replhub status --json | jq .ready`,
		Args: cobra.NoArgs,
		RunE: a.verb(func(ctx context.Context, _ []string) error {
			return exchange(ctx, a, contract.VerbStatus, "", noRequest{}, showStatus)
		}),
	}
}

func showStatus(w io.Writer, s *contract.Status) error {
	t := newTable("hub", fmt.Sprintf("%s, version %s, since %s", s.Hub, s.Version, humanTime(s.Started)))
	t.pair("hubs", list(s.Hubs, "-"))
	t.pair("state", readyText(s))
	for _, trouble := range s.Degraded {
		t.pair("degraded", trouble)
	}
	t.pair("registry", registryText(&s.Registry))
	for _, alarm := range s.Registry.Alarms {
		t.pair("alarm", alarm)
	}
	t.pair("ingest", fmt.Sprintf("%s, epoch %d, %s", s.Ingest.Stream, s.Ingest.Epoch, storedText(&s.Ingest)))
	t.pair("", fmt.Sprintf("%s of %s (%.1f %%), %.1f events/s", humanBytes(s.Ingest.Bytes), humanBytes(s.Ingest.MaxBytes), s.Ingest.Fill*100, s.Ingest.Rate))
	t.pair("lanes", lanesText(s.Lanes))
	for _, e := range s.Erasures {
		t.pair("erasure", erasureText(&e))
	}
	return t.print(w)
}

// storedText says which events ingest has. A stream without events has a first sequence
// behind its last one.
func storedText(i *contract.IngestStatus) string {
	if i.FirstSeq > i.LastSeq || i.LastSeq == 0 {
		return fmt.Sprintf("no events; the next one is %d", i.LastSeq+1)
	}
	return fmt.Sprintf("events %d to %d", i.FirstSeq, i.LastSeq)
}

func readyText(s *contract.Status) string {
	switch {
	case !s.Ready:
		return "not ready"
	case len(s.Degraded) > 0:
		return "ready, degraded"
	default:
		return "ready"
	}
}

func registryText(r *contract.RegistryStatus) string {
	if r.Connected {
		return fmt.Sprintf("%s, connected since %s", r.Kind, humanTime(r.Since))
	}
	return fmt.Sprintf("%s, unreachable since %s: %s", r.Kind, humanTime(r.Since), r.Error)
}

func erasureText(e *contract.Erasure) string {
	ended := "not completed"
	if e.Ended != nil {
		ended = "completed " + humanTime(*e.Ended)
	}
	return fmt.Sprintf("%s: %s, SHA-256 %s: %s, %s, %s", humanTime(e.Begun), e.Entity, e.Key,
		plural(e.Events, "event"), copiesText(e.Copies), plural(e.DeadLetters, "dead letter")) + ", " + ended
}

func lanesText(lanes map[string]int) string {
	states := make([]string, 0, len(lanes))
	for _, state := range slices.Sorted(maps.Keys(lanes)) {
		states = append(states, fmt.Sprintf("%d %s", lanes[state], state))
	}
	return cmp.Or(strings.Join(states, ", "), "none")
}
