package hub_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/contract"
)

// Any hub erases from all lanes; the owner of a lane appends the state record.
func TestEraseWithTwoHubs(t *testing.T) {
	w := newWorld(t)
	w.startHub(func(cfg *hub.Config) { cfg.ID = "a" })
	w.startHub(func(cfg *hub.Config) { cfg.ID = "b" })
	for i := range 6 {
		w.register(fmt.Sprintf("service-%d", i), `{"entities":["user"]}`)
	}
	for _, key := range []string{"1", "42", "2", "42"} {
		w.user(key)
	}
	for i := range 6 {
		w.copies(fmt.Sprintf("service-%d", i), 4)
	}
	if done := w.erase("42", false); done.Events != 2 || done.Copies != 12 {
		t.Errorf("erased %+v", done)
	}
	w.user("3")
	for i := range 6 {
		if got := ids(w.copies(fmt.Sprintf("service-%d", i), 3)); got != "1 2 3" {
			t.Errorf("lane %d has %s", i, got)
		}
	}
	w.healthy()
}

// Three replicas: the readers of other servers pass over the events as well, and a new
// leader of ingest does not bring them back.
func TestEraseOnACluster(t *testing.T) {
	w := newCluster(t)
	w.startHub()
	w.register("sharing", `{"entities":["user"]}`)
	for _, key := range []string{"42", "1", "42", "2", "42"} {
		w.user(key)
	}
	w.copies("sharing", 5)
	if done := w.erase("42", false); done.Events != 3 || done.Copies != 3 {
		t.Errorf("erased %+v", done)
	}
	for _, stream := range []string{contract.StreamIngest, "SUB_sharing"} {
		if _, err := w.nc.Request("$JS.API.STREAM.LEADER.STEPDOWN."+stream, nil, w.patience); err != nil {
			t.Fatal(err)
		}
	}
	w.eventually("an event behind them", func() error { return w.publishOnce("3", "db.user.update", `{"id":"3"}`) })
	if got := ids(w.copies("sharing", 3)); got != "1 2 3" {
		t.Errorf("the lane has %s", got)
	}
	w.register("late", `{"interests":[{"entity":"user","start":"all"}]}`)
	if got := ids(w.copies("late", 3)); got != "1 2 3" {
		t.Errorf("a new lane has %s", got)
	}
	if found := w.erase("42", true); found.Events+found.Copies != 0 {
		t.Errorf("still there: %+v", found)
	}
	w.healthy()
}

// Several erasures at once get their turns: who would wait for long hears so soon, and
// asks again.
func TestErasuresAtOnce(t *testing.T) {
	w := newWorld(t)
	first := newGate("erase events")
	w.startHub(func(cfg *hub.Config) { cfg.Failpoint = first.pass })
	keys := []string{"41", "42", "43", "44", "45", "46"}
	for _, key := range keys {
		w.user(key)
	}
	results := make(chan error, len(keys))
	busy := make(chan string, 100)
	ask := func(key string) {
		for {
			done, err := w.tryErase(key, false)
			refusal, refused := errors.AsType[*contract.Error](err)
			if refused && refusal.Code == contract.CodeBusy {
				busy <- key
				continue
			}
			if err == nil && done.Events != 1 {
				err = fmt.Errorf("%s: erased %+v", key, done)
			}
			results <- err
			return
		}
	}
	go ask(keys[0])
	<-first.reached
	for _, key := range keys[1:] {
		go ask(key)
	}
	open := sync.OnceFunc(func() { close(first.open) })
	defer open()
	soon := time.After(6 * time.Second)
	for heard := map[string]bool{}; len(heard) < len(keys)-1; {
		select {
		case key := <-busy:
			heard[key] = true
		case <-soon:
			t.Fatalf("only %v hear that the hub is busy", heard)
		}
	}
	open()
	for range keys {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	w.gone("name of 4", contract.StreamIngest)
	w.healthy()
}
