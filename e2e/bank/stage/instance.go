package stage

import (
	"context"
	"slices"
	"time"

	"github.com/replhub/replhub/e2e/bank/audit"
)

// freezeWithin bounds the wait for a moment at which a process can be stopped.
const freezeWithin = 10 * time.Second

// Instance is the place of one instance of a service, for a scenario that says
// itself who comes and goes.
type Instance struct {
	b *Bank
	s *service
	p *post
}

// Instances are a service's, in the order in which they first came.
func (b *Bank) Instances(service string) []*Instance {
	b.tb.Helper()
	var all []*Instance
	s := b.service(service)
	for _, p := range s.posts {
		all = append(all, &Instance{b, s, p})
	}
	return all
}

// Hire starts one more instance of a service.
func (b *Bank) Hire(service string) *Instance {
	b.tb.Helper()
	s := b.service(service)
	i := &Instance{b, s, b.hire(s)}
	i.Start()
	return i
}

func (b *Bank) service(name string) *service {
	b.tb.Helper()
	at := slices.IndexFunc(b.services, func(s *service) bool { return s.name == name })
	if at < 0 {
		b.tb.Fatalf("there is no service %q", name)
	}
	return b.services[at]
}

// Name is that of the process at the place, or of the last that was.
func (i *Instance) Name() string { return i.p.current().name }

// Start has a new process, with a new name, take the place.
func (i *Instance) Start() { i.b.tb.Helper(); i.p.start() }

// Kill ends the process at once (SIGKILL).
func (i *Instance) Kill() {
	i.b.tb.Helper()
	i.p.kill()
	i.p.back = time.Now()
}

// Freeze stops the process (SIGSTOP) at a moment at which it has a handler
// before its effect, and returns when that was, in nanoseconds. The service's
// handlings must be shared, and its handlers must think.
func (i *Instance) Freeze(ctx context.Context) int64 {
	i.b.tb.Helper()
	deadline := time.Now().Add(freezeWithin)
	for {
		i.p.freeze()
		since := time.Unix(0, i.p.frozen).Add(-i.b.cfg.Think)
		if i.begun(ctx, since) > 0 {
			i.p.back = time.Now()
			return i.p.frozen
		}
		if time.Now().After(deadline) {
			i.b.tb.Fatalf("%s had nothing to do for %s", i.Name(), freezeWithin)
		}
		i.p.thaw() // too short for anybody to notice
		i.b.world.Let(lookEvery)
	}
}

// begun counts the process's handlers under way that began since then.
func (i *Instance) begun(ctx context.Context, since time.Time) int {
	i.b.tb.Helper()
	var n int
	err := i.s.db.QueryRowContext(ctx, `SELECT count(*) FROM handlings WHERE instance = $1 AND ended IS NULL AND begun > $2`,
		i.Name(), since).Scan(&n)
	if err != nil {
		i.b.tb.Fatal(err)
	}
	return n
}

// Thaw has it go on (SIGCONT), and returns from when to when it was stopped.
func (i *Instance) Thaw() audit.Freeze {
	i.b.tb.Helper()
	f := i.p.thaw()
	i.b.freezes = append(i.b.freezes, f)
	return f
}

// Holders are, by partition, the names of the instances that were the last to
// begin a handler there; "" is nobody yet. The service's handlings must be
// shared.
func (b *Bank) Holders(ctx context.Context, service string) []string {
	b.tb.Helper()
	b.mustRun(b.posts())
	rows, err := b.service(service).db.QueryContext(ctx, `SELECT COALESCE((SELECT instance FROM handlings WHERE partition = p ORDER BY n DESC LIMIT 1), '')
		FROM generate_series(0, $1::int - 1) p ORDER BY p`, b.cfg.Partitions)
	if err != nil {
		b.tb.Fatal(err)
	}
	defer rows.Close() //nolint:errcheck // of rows that were read
	var holders []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			b.tb.Fatal(err)
		}
		holders = append(holders, name)
	}
	if err := rows.Err(); err != nil {
		b.tb.Fatal(err)
	}
	return holders
}
