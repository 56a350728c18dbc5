package anylanguage_test

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/child"
	"github.com/replhub/replhub/internal/testenv/sqltest"
	"github.com/replhub/replhub/replhubtest"
)

// world is a hub, and the database of one service.
type world struct {
	t       *testing.T
	hub     *replhubtest.Hub
	js      jetstream.JetStream
	service string
	queue   string // JSON
	db      *sql.DB
	place   []string // where the database is, as variables of libpq
}

// start starts a hub and a database with the tables of the page, and two more:
// what the instances handled, and which keys they may go on with.
func start(t *testing.T, service, queue string) *world {
	t.Helper()
	w := &world{t: t, hub: replhubtest.Start(t), service: service, queue: queue}
	nc, err := nats.Connect(w.hub.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	if w.js, err = jetstream.New(nc); err != nil {
		t.Fatal(err)
	}
	dsn := sqltest.Postgres(t)
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	w.db = db
	variables := map[string]string{"host": "PGHOST", "user": "PGUSER", "dbname": "PGDATABASE"}
	for field := range strings.FieldsSeq(dsn) {
		name, value, _ := strings.Cut(field, "=")
		w.place = append(w.place, variables[name]+"="+value)
	}
	w.exec(tables(t))
	w.exec("CREATE TABLE handled (at bigserial PRIMARY KEY, instance text, key text, n bigint)")
	w.exec("CREATE TABLE released (key text PRIMARY KEY)")
	return w
}

// tables are the statements of apply.mjs.
func tables(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("apply.mjs")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?s)export const tables = `(.*?)`").FindSubmatch(text)
	if found == nil {
		t.Fatal("apply.mjs has no tables")
	}
	return string(found[1])
}

func (w *world) exec(statement string, args ...any) {
	w.t.Helper()
	if _, err := w.db.ExecContext(w.t.Context(), statement, args...); err != nil {
		w.t.Fatalf("%s: %v", statement, err)
	}
}

// instance is a process of the service.
type instance struct {
	*child.Process
	name string
}

// instance starts one, of the program in a folder.
func (w *world) instance(name, folder string) *instance {
	w.t.Helper()
	cmd := exec.Command("node", "instance.mjs")
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "NATS_URL="+w.hub.URL(), "SERVICE="+w.service, "NAME="+name, "QUEUE="+w.queue,
		`INTERESTS=[{"entity":"user","start":"all"}]`)
	cmd.Env = append(cmd.Env, w.place...)
	log := filepath.Join(w.t.TempDir(), name+".log")
	p, err := child.Start(cmd, log)
	if err != nil {
		w.t.Fatalf("start instance %s: %v", name, err)
	}
	w.t.Cleanup(func() {
		if err := p.Kill(); err != nil {
			w.t.Error(err)
		}
		if w.t.Failed() {
			w.t.Logf("instance %s said:\n%s", name, child.Tail(log, 4<<10))
		}
	})
	return &instance{Process: p, name: name}
}

// ends asks an instance to end, which it does in good order.
func (w *world) ends(i *instance) {
	w.t.Helper()
	if err := i.Terminate(10 * time.Second); err != nil {
		w.t.Fatal(err)
	}
	if !i.State().Success() {
		w.t.Errorf("instance %s ended with %s", i.name, i.State())
	}
}

// user is the payload of an event. What the handler is to do with it stands in it
// as well.
type user struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
	N    int    `json:"n"`
	Park string `json:"park,omitempty"`
	Fail string `json:"fail,omitempty"`
	Hold bool   `json:"hold,omitempty"`
}

// publish publishes changes, in their order; a user without a name is deleted.
func (w *world) publish(users ...user) {
	w.t.Helper()
	events := make([]replhub.Event, len(users))
	for i, u := range users {
		data, err := json.Marshal(u)
		if err != nil {
			w.t.Fatal(err)
		}
		events[i] = replhub.Event{Entity: "user", Op: replhub.Update, Data: data}
		if u.Name == "" {
			events[i].Op = replhub.Delete
		}
	}
	w.hub.Publish(w.t, events...)
}

// handling is one call of an instance's handler.
type handling struct {
	instance, key string
	n             int
}

func (h handling) String() string { return fmt.Sprintf("%s:%s#%d", h.instance, h.key, h.n) }

// handled are all calls, in their order.
func (w *world) handled() []handling {
	w.t.Helper()
	rows, err := w.db.QueryContext(w.t.Context(), "SELECT instance, key, n FROM handled ORDER BY at")
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var all []handling
	for rows.Next() {
		var h handling
		if err := rows.Scan(&h.instance, &h.key, &h.n); err != nil {
			w.t.Fatal(err)
		}
		all = append(all, h)
	}
	if err := rows.Err(); err != nil {
		w.t.Fatal(err)
	}
	return all
}

// by are the calls of one key.
func by(key string, all []handling) (of []handling) {
	for _, h := range all {
		if h.key == key {
			of = append(of, h)
		}
	}
	return of
}

// name is a user's name in the service's table.
func (w *world) name(id string) string {
	w.t.Helper()
	var name sql.NullString
	err := w.db.QueryRowContext(w.t.Context(), "SELECT name FROM users WHERE id = $1", id).Scan(&name)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		w.t.Fatal(err)
	}
	return name.String
}

// awaitSettled waits until every copy is acknowledged.
func (w *world) awaitSettled() {
	w.t.Helper()
	w.await("every copy is acknowledged", func() bool {
		stream, err := w.js.Stream(w.t.Context(), "SUB_"+w.service)
		if err != nil {
			w.t.Fatal(err)
		}
		list, open := stream.ListConsumers(w.t.Context()), 0
		for info := range list.Info() {
			open += info.NumAckPending + int(info.NumPending)
		}
		if err := list.Err(); err != nil {
			w.t.Fatal(err)
		}
		return open == 0
	})
}

// letters are the dead letters, by key: reason and error.
func (w *world) letters() map[string]string {
	w.t.Helper()
	stream, err := w.js.Stream(w.t.Context(), "DLQ")
	if err != nil {
		w.t.Fatal(err)
	}
	found := make(map[string]string)
	for seq := uint64(1); seq <= stream.CachedInfo().State.LastSeq; seq++ {
		m, err := stream.GetMsg(w.t.Context(), seq)
		if err != nil {
			w.t.Fatal(err)
		}
		found[m.Header.Get(contract.HeaderKey)] = m.Header.Get(contract.HeaderReason) + ": " + m.Header.Get(contract.HeaderError)
	}
	return found
}

// await waits for a condition.
func (w *world) await(what string, holds func() bool) {
	w.t.Helper()
	replhubtest.Await(w.t, what, func() error {
		if holds() {
			return nil
		}
		return errors.New("not yet")
	}, replhubtest.Within(30*time.Second))
}
