package main

import (
	"cmp"
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/replhub/replhub/internal/contract"
)

func newLs(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "ls",
		Aliases: []string{"list"},
		GroupID: groupServices,
		Short:   "List services with their progress",
		Long: `List the registered services. LAG is the number of events that the hub has not yet
processed for the service. A mark beside an entity says that the owner's policy allows
only a part of it, or nothing. BACKLOG is the number of copies that the workers have not
yet acknowledged, and OLDEST the age of the oldest such copy. WAITING is the number
of workers that wait for work. OWNER is the hub that copies into the lane.`,
		Example: `  replhub ls
  replhub ls --json | jq -r '.services[] | select(.state != "live") | .service'`,
		Args: cobra.NoArgs,
		RunE: a.verb(func(ctx context.Context, _ []string) error {
			return exchangePages(ctx, a, servicePages(), showServices)
		}),
	}
}

func showServices(w io.Writer, r *contract.Services) error {
	if len(r.Services) == 0 {
		_, err := fmt.Fprintln(w, "no service is registered; see 'replhub register --help'")
		return err
	}
	t := newTable("SERVICE", "STATE", "ENTITIES", "LAG", "BACKLOG", "OLDEST", "WAITING", "SIZE", "DEAD", "OWNER", "REASON")
	for i := range r.Services {
		t.row(serviceCells(&r.Services[i])...)
	}
	return t.print(w)
}

func serviceCells(s *contract.LaneStatus) []string {
	waiting := 0
	for _, worker := range s.Workers {
		waiting += worker.Waiting
	}
	entities := make([]string, 0, len(s.Interests))
	for _, interest := range s.Interests {
		entities = append(entities, entityCell(&interest))
	}
	return []string{
		s.Service, s.State, list(entities, "-"), count(s.Lag), count(s.Backlog), humanAge(s.OldestUnacked),
		count(waiting), humanBytes(s.Bytes), count(s.DeadLetters), cmp.Or(s.Owner, "-"), reasonText(s),
	}
}

// entityCell is an entity with what its policy gives, if that is not all.
func entityCell(in *contract.InterestStatus) string {
	if in.Policy == nil || in.Policy.State == contract.PolicyFull {
		return in.Entity
	}
	return fmt.Sprintf("%s (%s)", in.Entity, policyState(in.Policy.State))
}

// reasonText is why a lane is as it is: for one that is filling, how far it is.
func reasonText(s *contract.LaneStatus) string {
	if s.Reason == "" && s.Fill != nil {
		return fillText(s.Fill)
	}
	return s.Reason
}
