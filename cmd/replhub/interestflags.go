package main

import (
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/replhub/replhub"
)

// interestFlags say which entities a bridge registers its service for, and which part of
// them.
type interestFlags struct {
	entities, ops []string
	fields, where []string
	start         string
	echo          bool
	partitions    int
	maxBytes      byteSize
}

func (f *interestFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringSliceVar(&f.entities, "entity", nil, "entity to register for, repeated or separated by commas (default: what is registered)")
	flags.StringSliceVar(&f.ops, "ops", nil, "operations to receive (default create,update,delete)")
	flags.StringArrayVar(&f.fields, "fields", nil, "JSON paths to keep, as in id,name or user=id,name for one entity; may be repeated (default all)")
	flags.StringArrayVar(&f.where, "where", nil, "CEL filter, or user=CEL for one entity; may be repeated")
	flags.StringVar(&f.start, "start", "", "new, all, snapshot, an RFC 3339 time, a duration before now as in 24h, or a sequence; counts at the first registration only (default new)")
	flags.BoolVar(&f.echo, "echo", false, "also receive the events that the service itself published")
	flags.IntVar(&f.partitions, "partitions", 0, "number of partitions that processes share (default 4 at the first registration, then what is registered)")
	flags.Var(&f.maxBytes, "max-bytes", "limit of the service's stream, as in 512MiB (default 1GiB)")
}

// interests are what the flags ask for; none without --entity.
func (f *interestFlags) interests() ([]replhub.Interest, error) {
	start, err := parseStart(f.start, time.Now())
	if err != nil {
		return nil, err
	}
	if len(f.entities) == 0 {
		if len(f.ops)+len(f.fields)+len(f.where) > 0 || f.start != "" || f.echo {
			return nil, usagef("--ops, --fields, --where, --start and --echo need --entity: they apply to the entities that it names")
		}
		return nil, nil
	}
	fields, err := perEntity("--fields", f.fields, f.entities)
	if err != nil {
		return nil, err
	}
	where, err := perEntity("--where", f.where, f.entities)
	if err != nil {
		return nil, err
	}
	interests := make([]replhub.Interest, 0, len(f.entities))
	for _, entity := range f.entities {
		interest := replhub.Interest{Entity: entity, Filter: where[entity], Start: start, Echo: f.echo}
		for _, op := range f.ops {
			interest.Ops = append(interest.Ops, replhub.Op(op))
		}
		if list := fields[entity]; list != "" {
			interest.Fields = strings.Split(list, ",")
		}
		interests = append(interests, interest)
	}
	return interests, nil
}

// perEntity is the value for each entity: "user=…" is for one, and a text that does not
// begin with a named entity and "=" is for all that have none of their own.
func perEntity(flag string, values, entities []string) (map[string]string, error) {
	own, all := make(map[string]string), ""
	for _, value := range values {
		if strings.TrimSpace(value) == "" {
			return nil, usagef("%s is empty: leave it out for its default", flag)
		}
		entity, text := entityOf(value, entities)
		twice := all != ""
		if entity != "" {
			_, twice = own[entity]
		}
		if twice {
			return nil, usagef("%s is there twice for %s", flag, nameOr(entity, "all entities"))
		}
		if entity == "" {
			all = text
		} else {
			own[entity] = text
		}
	}
	for _, entity := range entities {
		if _, ok := own[entity]; !ok {
			own[entity] = all
		}
	}
	return own, nil
}

// entityOf takes a leading "user=" off a value. "user == 1" has none.
func entityOf(value string, entities []string) (entity, text string) {
	name, rest, found := strings.Cut(value, "=")
	if !found || strings.HasPrefix(rest, "=") {
		return "", value
	}
	for _, e := range entities {
		if strings.TrimSpace(name) == e {
			return e, strings.TrimSpace(rest)
		}
	}
	return "", value
}

func nameOr(name, other string) string {
	if name == "" {
		return other
	}
	return name
}

// parseStart reads a start as register takes it.
func parseStart(text string, now time.Time) (replhub.Start, error) {
	switch text {
	case "":
		return replhub.Start{}, nil
	case "new":
		return replhub.StartNew(), nil
	case "all":
		return replhub.StartAll(), nil
	case "snapshot":
		return replhub.StartSnapshot(), nil
	}
	if seq, err := strconv.ParseUint(text, 10, 64); err == nil && seq > 0 {
		return replhub.StartFrom(seq), nil
	}
	if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return replhub.StartAt(at), nil
	}
	if before, err := time.ParseDuration(text); err == nil && before > 0 {
		return replhub.StartAt(now.Add(-before)), nil
	}
	return replhub.Start{}, usagef("--start %q: must be new, all, snapshot, an RFC 3339 time, a duration before now as in 24h, or a sequence", text)
}
