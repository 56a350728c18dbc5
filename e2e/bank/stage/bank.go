package stage

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver of the audit's connections

	"github.com/replhub/replhub/e2e/bank/audit"
	"github.com/replhub/replhub/e2e/harness"
	"github.com/replhub/replhub/internal/testenv/sqltest"
)

// Config is a scenario's size. Only Binary and Changes have no default.
type Config struct {
	// Binary is command bank.
	Binary string
	// Changes is how many are committed at least.
	Changes int
	// Keys is how many accounts there may be; 500 by default.
	Keys int
	// Services are the names of those there are; ledger and cards by default.
	Services []string
	// Batches has services apply in batches.
	Batches bool
	// Shared has handlers note what they do in a table that a service's instances
	// share, not in files.
	Shared bool
	// Think is the time between a handler's begin and its effect; none by default.
	Think time.Duration
	// Workers is how many handlers an instance runs at a time; 8 by default.
	Workers int
	// Most is how many accounts one transaction changes at most; 4 by default.
	Most int
	// Rate is how many changes a second all publishers together make at most;
	// 1000 by default.
	Rate float64
	// Publishers, Relays and Instances are how many there are, the last of each
	// service; 4, 2 and 3 by default.
	Publishers, Relays, Instances int
	// Partitions are those of the service that is ordered by key; 16 by default.
	Partitions int
	Faults     Faults
	// Without names a mechanism to leave out; none by default.
	Without string
	// Seed is that of all random choices; 1 by default.
	Seed uint64
}

func (c Config) withDefaults() Config {
	set := func(v *int, to int) {
		if *v == 0 {
			*v = to
		}
	}
	set(&c.Keys, 500)
	set(&c.Publishers, 4)
	set(&c.Relays, 2)
	set(&c.Instances, 3)
	set(&c.Partitions, 16)
	set(&c.Workers, 8)
	set(&c.Most, 4)
	if len(c.Services) == 0 {
		c.Services = []string{ledger, "cards"}
	}
	if c.Rate == 0 {
		c.Rate = 1000
	}
	c.Seed = max(c.Seed, 1)
	return c
}

// Bank is a bank at work, and two services.
type Bank struct {
	tb    testing.TB
	cfg   Config
	world *harness.World
	rand  *rand.Rand

	hub     *harness.Hub
	hubBack time.Time // zero while it runs

	source     *sql.DB
	services   []*service
	publishers []*post
	relays     []*post
	freezes    []audit.Freeze

	// Struck counts the faults that fell, by what they did.
	Struck map[string]int
}

// service is one of the two, with its replica.
type service struct {
	name    string
	ordered bool
	dir     string // of logs and journals
	dsn     string
	db      *sql.DB
	posts   []*post
}

// ledger is the service that is ordered by key.
const ledger = "ledger"

// hire adds a post for an instance of a service.
func (b *Bank) hire(s *service) *post {
	p := b.post(s.dir, fmt.Sprintf("%s-%d", s.name, len(s.posts)+1), func(name string) []string {
		args := b.args("instance", name, s.dsn, "-service", s.name, "-think", b.cfg.Think.String(),
			"-workers", strconv.Itoa(b.cfg.Workers), "-partitions", strconv.Itoa(b.cfg.Partitions),
			"-batches="+strconv.FormatBool(b.cfg.Batches))
		if b.cfg.Shared {
			return args
		}
		return append(args, "-journal", journal(s.dir, name))
	})
	s.posts = append(s.posts, p)
	return p
}

// Open makes the databases and starts everybody. The world's hub must be up.
func Open(tb testing.TB, world *harness.World, hub *harness.Hub, cfg Config) *Bank {
	tb.Helper()
	cfg = cfg.withDefaults()
	b := &Bank{
		tb: tb, cfg: cfg, world: world, hub: hub, rand: rand.New(rand.NewPCG(cfg.Seed, cfg.Seed)),
		Struck: make(map[string]int),
	}
	source := sqltest.Postgres(tb)
	b.source = b.open(source)
	prepare := []string{"prepare", "-db", source, "-keys", strconv.Itoa(cfg.Keys)}
	dir := tb.TempDir()
	for _, name := range cfg.Services {
		s := &service{name: name, ordered: name == ledger, dir: dir, dsn: sqltest.Postgres(tb)}
		s.db = b.open(s.dsn)
		prepare = append(prepare, "-replica", name+"="+s.dsn)
		for range cfg.Instances {
			b.hire(s)
		}
		b.services = append(b.services, s)
	}
	for i := range cfg.Publishers {
		b.publishers = append(b.publishers, b.post(dir, fmt.Sprintf("publisher-%d", i+1), func(name string) []string {
			return b.args("publisher", name, source, "-keys", strconv.Itoa(cfg.Keys), "-most", strconv.Itoa(cfg.Most), "-workers", "4",
				"-seed", strconv.FormatUint(cfg.Seed, 10), "-rate", strconv.FormatFloat(cfg.Rate/float64(cfg.Publishers), 'f', 2, 64))
		}))
	}
	for i := range cfg.Relays {
		b.relays = append(b.relays, b.post(dir, fmt.Sprintf("relay-%d", i+1), func(name string) []string {
			return b.args("relay", name, source)
		}))
	}
	if out, err := exec.Command(cfg.Binary, prepare...).CombinedOutput(); err != nil {
		tb.Fatalf("prepare the databases: %v\n%s", err, out)
	}
	for _, p := range b.posts() {
		p.start()
	}
	return b
}

func (b *Bank) open(dsn string) *sql.DB {
	b.tb.Helper()
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		b.tb.Fatalf("open a database: %v", err)
	}
	b.tb.Cleanup(func() { _ = db.Close() })
	return db
}

func (b *Bank) post(dir, name string, args func(string) []string) *post {
	p := &post{tb: b.tb, name: name, args: args, binary: b.cfg.Binary, dir: dir}
	b.tb.Cleanup(p.cleanup)
	return p
}

func (b *Bank) args(role, name, dsn string, more ...string) []string {
	return append([]string{role, "-name", name, "-db", dsn, "-nats", b.world.NATS.URL(), "-without", b.cfg.Without}, more...)
}

func journal(dir, name string) string { return filepath.Join(dir, name+".journal") }

// instances are those of both services.
func (b *Bank) instances() []*post {
	var all []*post
	for _, s := range b.services {
		all = append(all, s.posts...)
	}
	return all
}

func (b *Bank) posts() []*post { return slices.Concat(b.publishers, b.relays, b.instances()) }

// made is how many changes are committed.
func (b *Bank) made(ctx context.Context) int {
	b.tb.Helper()
	return count(ctx, b.tb, b.source, `SELECT COALESCE(sum(changes), 0) FROM slots`)
}

func count(ctx context.Context, tb testing.TB, db *sql.DB, query string) int {
	tb.Helper()
	var n int
	if err := db.QueryRowContext(ctx, query).Scan(&n); err != nil {
		tb.Fatalf("%s: %v", query, err)
	}
	return n
}
