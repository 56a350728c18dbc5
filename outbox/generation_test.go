package outbox_test

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/internal/testenv/sqltest"
	"github.com/replhub/replhub/outbox"
)

// versions are those of a key in ingest, split into generation and count.
func versions(tb testing.TB, msgs []jetstream.Msg, key string) (generations, counts []int64) {
	tb.Helper()
	last := int64(0)
	for _, m := range msgs {
		if m.Headers().Get("Replhub-Key") != key {
			continue
		}
		v, err := strconv.ParseInt(m.Headers().Get("Replhub-Version"), 10, 64)
		if err != nil || v <= last {
			tb.Errorf("version %d after %d: %v", v, last, err)
		}
		last = v
		generations, counts = append(generations, v>>44), append(counts, v&(1<<44-1))
	}
	return generations, counts
}

func TestNewGeneration(t *testing.T) {
	each(t, func(t *testing.T, p *place) {
		p.publishAll(user("k"), user("k"))
		p.enqueue(user("k")) // waits across the restore
		first, err := p.box.NewGeneration(t.Context(), p.db)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.db.ExecContext(t.Context(), p.box.GenerationStatement()); err != nil {
			t.Fatal(err)
		}
		r, _ := p.run(p.bus.client)
		p.enqueue(user("k"))
		p.emptied()
		generations, counts := versions(t, p.bus.stored(4), "k")
		if want := []int64{0, 0, first + 1, first + 1}; !slices.Equal(generations, want) {
			t.Errorf("generations %v, want %v", generations, want)
		}
		if want := []int64{1, 2, 3, 4}; !slices.Equal(counts, want) {
			t.Errorf("counts %v, want %v", counts, want)
		}
		if first < 5000 {
			t.Errorf("generation %d is not the hour", first)
		}
		if stats, err := r.Stats(t.Context()); err != nil || stats.Generation != first+1 {
			t.Errorf("generation %d in the statistics, %v", stats.Generation, err)
		}
	})
}

// The snapshot's statement of the documentation gives a row the version that its
// last event had.
func TestVersionOfARow(t *testing.T) {
	each(t, func(t *testing.T, p *place) {
		p.run(p.bus.client)
		if _, err := p.box.NewGeneration(t.Context(), p.db); err != nil {
			t.Fatal(err)
		}
		p.enqueue(user("k"), user("k"))
		p.emptied()
		sent := p.bus.stored(2)[1].Headers().Get("Replhub-Version")
		var version, none int64
		err := p.db.QueryRowContext(t.Context(), "SELECT COALESCE((g.generation << 44) + v.version, 0), COALESCE((g.generation << 44) + w.version, 0) "+
			"FROM replhub_outbox_generation g LEFT JOIN replhub_outbox_versions v ON v.entity = 'user' AND v.entity_key = 'k' "+
			"LEFT JOIN replhub_outbox_versions w ON w.entity = 'user' AND w.entity_key = 'other'").Scan(&version, &none)
		if err != nil || strconv.FormatInt(version, 10) != sent || none != 0 {
			t.Errorf("version %d, sent %s; %d without an event; %v", version, sent, none, err)
		}
	})
}

func TestVersionsHaveBounds(t *testing.T) {
	const largest = 1<<44 - 1
	each(t, func(t *testing.T, p *place) {
		own := func(version int64) replhub.Event {
			ev := user("k")
			ev.Version = version
			return ev
		}
		if err := p.tryEnqueue(own(largest + 1)); !errors.Is(err, replhub.ErrInvalidEvent) || !strings.Contains(err.Error(), "Version: is 17592186044416") {
			t.Errorf("a version that is too large: %v", err)
		}
		p.enqueue(own(largest))
		if err := p.tryEnqueue(user("k")); err == nil {
			t.Error("a version above the largest")
		}
		// The same, written by hand, is set aside and holds nothing up.
		if _, err := p.db.ExecContext(t.Context(), fmt.Sprintf("UPDATE replhub_outbox SET version = %d", int64(largest)+1)); err != nil {
			t.Fatal(err)
		}
		p.run(p.bus.client)
		p.enqueue(user("l"))
		p.emptied()
		p.bus.stored(1)
		if n := p.rows("_failed"); n != 1 {
			t.Errorf("%d events set aside", n)
		}
		if _, err := p.db.ExecContext(t.Context(), fmt.Sprintf("UPDATE replhub_outbox_generation SET generation = %d", 1<<19-1)); err != nil {
			t.Fatal(err)
		}
		if n, err := p.box.NewGeneration(t.Context(), p.db); err == nil {
			t.Errorf("generation %d", n)
		}
	})
}

// restored checks that what is enqueued after a restore counts as newer than all
// that was published before it.
func (p *place) restored(published int, before int64) {
	p.Helper()
	log := &lines{}
	p.run(p.bus.client, func(cfg *outbox.RelayConfig) { cfg.Logger = log.logger() })
	p.enqueue(user("k"))
	p.emptied()
	generations, _ := versions(p, p.bus.stored(published+1), "k") // each greater than the one before
	if last := generations[len(generations)-1]; last <= before {
		p.Errorf("generation %d after a restore, %d before", last, before)
	}
	if n := log.count("was restored"); n != 1 {
		p.Errorf("%d lines tell of the restore", n)
	}
}

// A dump is put back in place of the tables.
func TestRestoredDumpIsNoticed(t *testing.T) {
	p := newPlace(t, postgres, outbox.Config{})
	p.publishAll(user("k"))
	dump := filepath.Join(t.TempDir(), "dump")
	p.tool("pg_dump", "--format=custom", "--file="+dump)
	p.publishAll(user("k"), user("k"))
	p.tool("pg_restore", "--clean", "--if-exists", "--dbname="+connection(p.dataSource), dump)
	p.restored(3, 0)
}

// publishAll runs a relay for as long as it takes.
func (p *place) publishAll(events ...replhub.Event) {
	p.Helper()
	_, stop := p.run(p.bus.client)
	p.enqueue(events...)
	p.emptied()
	stop()
}

// tool runs a program of PostgreSQL's on the test's database.
func (p *place) tool(name string, args ...string) {
	p.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err != nil || len(found) == 0 {
		found = []string{name}
	}
	if name == "pg_dump" {
		args = append(args, connection(p.dataSource))
	}
	out, err := exec.CommandContext(p.Context(), slices.Max(found), args...).CombinedOutput()
	if err != nil {
		p.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// connection is a DSN as a URI.
func connection(dsn string) string {
	values := url.Values{}
	for field := range strings.FieldsSeq(dsn) {
		name, value, _ := strings.Cut(field, "=")
		values.Set(name, value)
	}
	return "postgresql:///?" + values.Encode()
}

// A recovery, of which a fail-over is one, begins a timeline.
func TestRecoveryIsNoticed(t *testing.T) {
	server := sqltest.OwnPostgres(t)
	d := postgres
	d.dsn = func(testing.TB) string { return server.DSN() }
	p := newPlace(t, d, outbox.Config{})
	p.publishAll(user("k"), user("k"))
	var data string
	if err := p.db.QueryRowContext(t.Context(), "SHOW data_directory").Scan(&data); err != nil {
		t.Fatal(err)
	}
	p.settle()
	server.Stop(syscall.SIGINT)
	owner, err := os.Stat(data)
	if err != nil {
		t.Fatal(err)
	}
	appendTo(t, filepath.Join(data, "postgresql.auto.conf"), "restore_command = 'false'\n", owner)
	appendTo(t, filepath.Join(data, "recovery.signal"), "", owner)
	server.Start()
	eventually(t, "the end of the recovery", func() error {
		var recovers bool
		err := p.db.QueryRowContext(t.Context(), "SELECT pg_is_in_recovery()").Scan(&recovers)
		if err == nil && recovers {
			err = errors.New("it goes on")
		}
		return err
	})
	p.restored(2, 0)
}

// settle closes the connections that are idle.
func (p *place) settle() {
	p.db.SetMaxIdleConns(0)
}

func appendTo(tb testing.TB, path, text string, like os.FileInfo) {
	tb.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		tb.Fatal(err)
	}
	_, err = f.WriteString(text)
	err = errors.Join(err, f.Close())
	if owner, ok := like.Sys().(*syscall.Stat_t); ok {
		err = errors.Join(err, os.Chown(path, int(owner.Uid), int(owner.Gid)))
	}
	if err != nil {
		tb.Fatal(err)
	}
}

// A relay that starts where nothing was restored begins no generation, however
// often it starts, and in whatever role.
func TestNoGenerationWithoutARestore(t *testing.T) {
	p := newPlace(t, postgres, outbox.Config{})
	for range 3 {
		p.publishAll(user("k"))
	}
	if _, err := p.db.ExecContext(t.Context(), "VACUUM FULL replhub_outbox_versions"); err != nil {
		t.Fatal(err)
	}
	p.publishAll(user("k"))
	if generations, _ := versions(t, p.bus.stored(4), "k"); slices.Max(generations) != 0 {
		t.Errorf("generations %v", generations)
	}
}

// A server that keeps its place to itself is no obstacle: the relay says that it
// will notice nothing.
func TestDatabaseThatDoesNotTellItsPlace(t *testing.T) {
	p := newPlace(t, postgres, outbox.Config{})
	for _, statement := range []string{
		"CREATE ROLE narrow_" + p.name() + " LOGIN",
		"GRANT ALL ON ALL TABLES IN SCHEMA public TO narrow_" + p.name(),
		"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO narrow_" + p.name(),
		"REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC",
	} {
		if _, err := p.db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	narrow, err := sql.Open("pgx", strings.Replace(p.dataSource, "user=postgres", "user=narrow_"+p.name(), 1))
	if err != nil {
		t.Fatal(err)
	}
	defer narrow.Close()
	log := &lines{}
	p.run(p.bus.client, func(cfg *outbox.RelayConfig) { cfg.DB = narrow; cfg.Logger = log.logger() })
	p.enqueue(user("k"))
	p.emptied()
	p.bus.stored(1)
	if n := log.count("will not notice"); n != 1 {
		t.Errorf("%d lines say that a restore is not noticed", n)
	}
}

// name is that of the test's database.
func (p *place) name() string {
	p.Helper()
	var name string
	if err := p.db.QueryRowContext(p.Context(), "SELECT current_database()").Scan(&name); err != nil {
		p.Fatal(err)
	}
	return name
}
