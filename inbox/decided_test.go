package inbox_test

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/inbox"
	"github.com/replhub/replhub/internal/testenv/sqltest"
)

// What was decided in a batch that failed counts when it is decided for good.
func TestFailedBatchCountsNothing(t *testing.T) {
	onEach(t, func(t *testing.T, dialect database.Dialect) {
		r := newReplica(t, inbox.Config{Dialect: dialect})
		current, lower := user(replhub.Create, "k", 1), user(replhub.Update, "k", 2)
		current.Version, lower.Version = 9, 3
		r.mustDo(t, current, inbox.Applied)
		poison := user(replhub.Create, "p", 3)
		poison.Data = []byte("<xml>")
		if _, err := r.inbox.ReplicateBatch(t.Context(), r.DB, []*replhub.Delivery{lower, poison}, r.users); err == nil {
			t.Fatal("the batch has a payload that is no JSON, and no error")
		}
		outcome, err := r.inbox.Replicate(t.Context(), r.DB, lower, r.users)
		if got := r.inbox.Stats(); err != nil || outcome != inbox.Stale || got.Regressed != 1 || got.Stale != 1 {
			t.Errorf("%v, %v, %+v, want one that is stale and has regressed", outcome, err, got)
		}
	})
}

// refuses has statements that begin so fail.
type refuses string

func (r refuses) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	if !strings.HasPrefix(q.SQL, string(r)) {
		return ctx
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	return ended
}

func (refuses) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// A batch that is applied is no error, though it cannot be found out what its old
// deliveries lost against.
func TestAppliedBatchIsNoError(t *testing.T) {
	cfg, err := pgx.ParseConfig(sqltest.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	r := replicaOn(t, sql.OpenDB(stdlib.GetConnector(*cfg)), inbox.Config{})
	r.mustDo(t, user(replhub.Create, "old", 5), inbox.Applied)
	cfg.Tracer = refuses("SELECT entity_key")
	traced := sql.OpenDB(stdlib.GetConnector(*cfg))
	defer traced.Close()
	batch := []*replhub.Delivery{user(replhub.Update, "old", 4), user(replhub.Create, "new", 6)}
	outcomes, err := r.inbox.ReplicateBatch(t.Context(), traced, batch, r.users)
	if err != nil || !slices.Equal(outcomes, []inbox.Outcome{inbox.Stale, inbox.Applied}) || r.rows(t)["new"] != "e6" {
		t.Errorf("%v, %v, rows %v", outcomes, err, r.rows(t))
	}
}
