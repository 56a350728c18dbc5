package captured

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// Keep writes the records of captures again that stand below a sequence, so that ingest
// can be trimmed up to there. A capture that is away needs its record, however long it is
// away; one that runs renews its own. Keep returns the sequence below which no record is
// needed any more: the one it was given or, with an error, a lower one.
func Keep(ctx context.Context, js jetstream.JetStream, below uint64, writer string) (uint64, error) {
	stream, err := js.Stream(ctx, contract.StreamIngest)
	if err != nil {
		return 0, fmt.Errorf("find ingest: %w", err)
	}
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter("db.*."+subjects.Update.String()))
	if err != nil {
		return 0, fmt.Errorf("list the entities of ingest: %w", err)
	}
	var failed error
	limit := below
	for subject := range info.State.Subjects {
		if !IsRecord(subject) {
			continue
		}
		entity := strings.Split(subject, ".")[1]
		if at, err := keep(ctx, js, entity, below, writer); err != nil {
			failed = errors.Join(failed, fmt.Errorf("keep the record of %s: %w", entity, err))
			limit = min(limit, at)
		}
	}
	return limit, failed
}

// keep writes one record again. With an error it returns the sequence of the oldest event
// that the record needs.
func keep(ctx context.Context, js jetstream.JetStream, entity string, below uint64, writer string) (uint64, error) {
	log, err := Open(ctx, Config{JS: js, Entity: entity, Writer: writer})
	if err != nil {
		return 0, err
	}
	old, err := log.Read(ctx)
	switch {
	case errors.Is(err, ErrNone), errors.Is(err, ErrForeign):
		return below, nil // a trim of another hub, or an event of another publisher
	case err != nil:
		return 0, err
	}
	first := cmp.Or(old.Record.From, old.Seq)
	if first >= below {
		return below, nil
	}
	held, stored, err := log.Claim(ctx)
	if err == nil {
		_, err = log.Write(ctx, held.Record.Settled(NewID(), stored, held.Record.Confirm), held.Seq)
	}
	return first, err
}
