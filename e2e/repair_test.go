package e2e_test

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/e2e/harness"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/sqltest"
)

const repairRows = 2000

// TestReplicasAreRepaired has replicas on three databases get a new column, lose
// all their rows, and lose those of one tenant, while the owner goes on to change
// its table and publishes by its outbox. After each, the rows are asked for again,
// and the tables end equal to the owner's.
func TestReplicasAreRepaired(t *testing.T) {
	w := harness.New(t, harness.Options{Binary: binary, Seed: 93})
	w.StartHub("h1")
	o := newOutboxOwner(t, w.NATS.URL(), repairRows)
	background(t, func(ctx context.Context) error { return o.client.ServeSnapshot(ctx, "user", o.rows) })
	background(t, o.relay.Run)
	replicas := []*columnReplica{
		newColumnReplica(t, "on-postgres", database.Postgres, "pgx", sqltest.Postgres(t)),
		newColumnReplica(t, "on-mariadb", database.MariaDB, "mysql", sqltest.MariaDBSnapshot(t)),
		newColumnReplica(t, "on-sqlite", database.SQLite, "sqlite", sqltest.SQLite(t)),
	}
	r := &repair{t: t, world: w, owner: o, replicas: replicas}
	for _, replica := range replicas {
		replica.subscribe(w.NATS.URL(), "name")
		r.awaitFills(replica)
	}

	r.whileWritten("a new column", func() {
		for _, replica := range replicas {
			replica.exec("ALTER TABLE people ADD COLUMN phone varchar(64)")
		}
		r.awaitChanges(50)
		for _, replica := range replicas {
			replica.stop() // what comes until it is there again has the old fields
		}
		r.awaitChanges(100)
		for _, replica := range replicas {
			replica.subscribe(w.NATS.URL(), "name", "phone")
			r.backfill(replica)
		}
	})
	r.whileWritten("lost rows", func() {
		for _, replica := range replicas {
			replica.exec(map[bool]string{true: "DELETE FROM people", false: "TRUNCATE TABLE people"}[replica.dialect == database.SQLite])
			r.backfillByCommand(replica)
		}
	})
	r.whileWritten("lost rows of a tenant", func() {
		for _, replica := range replicas {
			replica.exec("DELETE FROM people WHERE name LIKE 'acme%'")
			r.backfillByCommand(replica, "--where", "data.tenant == 'acme'")
		}
	})
	for _, replica := range replicas {
		if did := replica.inbox.Stats(); did.Applied < 3*repairRows || did.Tombstones == 0 {
			t.Errorf("%s: nothing was put to the test: %+v", replica.service, did)
		}
	}
}

// A backfill of some rows brings these, and no others.
func TestBackfillOfSomeRowsRepairsThose(t *testing.T) {
	w := harness.New(t, harness.Options{Binary: binary, Seed: 94})
	w.StartHub("h1")
	o := newOutboxOwner(t, w.NATS.URL(), 200)
	background(t, func(ctx context.Context) error { return o.client.ServeSnapshot(ctx, "user", o.rows) })
	replica := newColumnReplica(t, "billing", database.Postgres, "pgx", sqltest.Postgres(t))
	r := &repair{t: t, world: w, owner: o, replicas: []*columnReplica{replica}}
	replica.exec("ALTER TABLE people ADD COLUMN phone varchar(64)")
	replica.subscribe(w.NATS.URL(), "name", "phone")
	r.awaitFills(replica)
	replica.exec("TRUNCATE people")
	// The tenant is not among the service's fields.
	r.backfillByCommand(replica, "--where", "data.tenant == 'acme'")
	r.awaitFills(replica)
	want := o.table("name", "phone")
	for id, row := range want {
		if !strings.HasPrefix(row, `"acme`) {
			delete(want, id)
		}
	}
	if len(want) == 0 {
		t.Fatal("no row is of that tenant")
	}
	if diff := differences(want, replica.table()); diff != "" {
		t.Error(diff)
	}
}

// repair is an owner and the replicas of its table.
type repair struct {
	t        *testing.T
	world    *harness.World
	owner    *outboxOwner
	replicas []*columnReplica
}

// whileWritten mends the replicas while the owner writes, and compares them with
// the owner when it has stopped and all has arrived.
func (r *repair) whileWritten(what string, mend func()) {
	r.t.Helper()
	stopWriting := background(r.t, r.owner.write)
	mend()
	r.awaitChanges(50) // behind the rows, too
	stopWriting()
	r.world.Eventually(what+": an empty outbox", settleWithin, func() error {
		stats, err := r.owner.relay.Stats(context.WithoutCancel(r.t.Context()))
		if err == nil && stats.Depth > 0 {
			err = fmt.Errorf("%d rows", stats.Depth)
		}
		return err
	})
	for _, replica := range r.replicas {
		r.awaitFills(replica)
		if diff := differences(r.owner.table(replica.columns...), replica.table()); diff != "" {
			r.t.Errorf("%s, %s: %s", what, replica.service, diff)
		}
	}
}

// awaitChanges waits until the owner has made the given number of further changes.
func (r *repair) awaitChanges(n int64) {
	r.t.Helper()
	until := r.owner.changes.Load() + n
	r.world.Eventually("more changes", settleWithin, func() error {
		if made := r.owner.changes.Load(); made < until {
			return fmt.Errorf("%d of %d", made, until)
		}
		return nil
	})
}

// awaitFills waits until a replica has all rows, and all events that there are.
func (r *repair) awaitFills(replica *columnReplica) {
	r.t.Helper()
	r.world.Eventually("all of "+replica.service, settleWithin, func() error {
		s := r.world.Describe(replica.service)
		if s.State != contract.LaneLive || s.Fill != nil || s.Lag > 0 || s.Backlog > 0 || s.DeadLetters > 0 {
			return fmt.Errorf("%s: lag %d, backlog %d, %d dead letters, fill %+v", s.State, s.Lag, s.Backlog, s.DeadLetters, s.Fill)
		}
		return nil
	})
}

// backfill asks for all rows by the SDK, and waits until they are in the lane.
func (r *repair) backfill(replica *columnReplica) {
	r.t.Helper()
	asked, err := replica.client.Backfill(r.t.Context(), "user", "")
	if err != nil {
		r.t.Fatal(err)
	}
	r.world.Eventually("the end of the backfill", settleWithin, func() error {
		s, err := replica.client.Describe(r.t.Context())
		if err == nil && !slices.ContainsFunc(s.Filled, func(f replhub.Filled) bool { return f.ID == asked.ID && f.Rows > repairRows/2 }) {
			err = fmt.Errorf("fills %+v, filled %+v", s.Fills, s.Filled)
		}
		return err
	})
}

// backfillByCommand does so by the command line, with more arguments.
func (r *repair) backfillByCommand(replica *columnReplica, more ...string) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), settleWithin)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, append([]string{"backfill", replica.service, "user", "--interval", "20ms", "--server", r.world.NATS.URL()}, more...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		r.t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
}
