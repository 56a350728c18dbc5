package hub_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/replhub/replhub/internal/contract"
)

func of(pairs ...string) url.Values {
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return form
}

// Each action of a lane does what its confirmation says.
func TestConsoleOperatesALane(t *testing.T) {
	w := newWorld(t)
	c := w.console(operating)
	w.register("sharing", `{"entities":["user"]}`)
	for i := range 3 {
		w.publish("db.user.create", fmt.Sprintf(`{"id":"%d"}`, i))
	}
	w.copies("sharing", 3)
	w.consume("sharing", "workers", 2)

	describe := func() (s contract.LaneStatus) {
		t.Helper()
		if err := w.call("replhub.describe.sharing", `{}`, &s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	c.act("pause", of("service", "sharing", "for", "1h"), "delivers nothing to the workers of sharing for 1h0m0s")
	if describe().Workers[0].PausedUntil == nil {
		t.Error("not paused")
	}
	c.act("resume", of("service", "sharing"), "get deliveries again at once; 1 copy wait")
	if describe().Workers[0].PausedUntil != nil {
		t.Error("not resumed")
	}
	before := describe()
	if body := c.act("rewind", of("service", "sharing", "to", "2"), "2 events will come to the workers of sharing again"); !strings.Contains(body, "2 events come again") {
		t.Errorf("rewound:\n%s", body)
	}
	if before.Backlog != 1 || describe().Backlog != 2 {
		t.Errorf("backlog %d, then %d: want 1, since the confirmation changes nothing, and 2", before.Backlog, describe().Backlog)
	}
	if response, body := c.do(http.MethodGet, "/do/rewind?service=sharing&to=99", ""); response.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(body, "beyond the end of ingest") {
		t.Errorf("rewind into the future: %s\n%s", response.Status, body)
	}
	if response, _ := c.do(http.MethodPost, "/do/drop", "confirmed=yes&service=sharing"); response.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("drop with interests: %s", response.Status)
	}
	if err := w.call("replhub.unregister.sharing", `{}`, nil); err != nil {
		t.Fatal(err)
	}
	c.act("drop", of("service", "sharing"), "Nobody gets them any more")
	if response, _ := c.do(http.MethodGet, "/services/sharing", ""); response.StatusCode != http.StatusNotFound {
		t.Errorf("a dropped service: %s", response.Status)
	}
}

// Dead letters of one cause are one group, and an action on it touches no other letter.
func TestConsoleHandlesGroupsOfLetters(t *testing.T) {
	w := newWorld(t)
	c := w.console(operating)
	w.register("sharing", `{"interests":[{"entity":"user","filter":"data.n > 1"}]}`)
	for i := range 3 {
		w.publish("db.user.create", fmt.Sprintf(`{"id":"a%d"}`, i)) // no n
	}
	w.publish("db.user.create", `no JSON`)
	group := regexp.MustCompile(`name="group" value="(\w+)"><input type="hidden" name="upto" value="(\d+)"><button>Redrive (\d+)`)
	var found [][]string
	w.eventually("two groups", func() error {
		found = group.FindAllStringSubmatch(c.page("/letters"), -1)
		if len(found) != 2 || found[0][3] != "1" || found[1][3] != "3" {
			return fmt.Errorf("%v", found)
		}
		return nil
	})
	// One more of the same cause, after the page was read, is not part of what it shows.
	w.publish("db.user.create", `{"id":"late"}`)
	w.eventually("the late one", func() error {
		if !strings.Contains(c.page("/letters"), "Redrive 4") {
			return fmt.Errorf("not yet")
		}
		return nil
	})
	w.register("sharing", `{"interests":[{"entity":"user"}]}`)
	body := c.act("redrive-group", of("service", "sharing", "group", found[1][1], "upto", found[1][2]), "Redrive 3 dead letters of sharing")
	if !strings.Contains(body, "3 events went back") {
		t.Errorf("redriven:\n%s", body)
	}
	w.copies("sharing", 3)
	c.act("remove-group", of("service", "sharing", "group", found[0][1], "upto", found[0][2]), "Nobody receives these events any more")
	if body := c.page("/letters"); !strings.Contains(body, "1 dead letter in 1 group") {
		t.Errorf("letters:\n%s", body)
	}
}

// "Where did user 42 go?" is one search.
func TestConsoleTellsTheStoryOfARow(t *testing.T) {
	w := newWorld(t)
	c := w.console()
	w.register("sharing", `{"entities":["user"]}`)
	w.register("application", `{"interests":[{"entity":"user","filter":"data.n > 2"}]}`)
	w.register("other", `{"entities":["tenant"]}`)
	first := w.publish("db.user.create", `{"id":"42","n":1}`, "Nats-Msg-Id", "one")
	w.publish("db.user.create", `{"id":"43","n":1}`)
	second := w.publish("db.user.update", `{"id":"42","n":3}`)
	w.copies("sharing", 3)
	w.copies("application", 1)
	w.consume("sharing", "workers", 1)

	body := c.page("/row?entity=user&key=42")
	newer, older := strings.Index(body, fmt.Sprintf("event %d<", second)), strings.Index(body, fmt.Sprintf("event %d<", first))
	if newer < 0 || older < newer || !strings.Contains(body, "2 events found among 3") {
		t.Errorf("row:\n%s", body)
	}
	if body := c.page("/row?id=one"); !strings.Contains(body, "1 event found") {
		t.Errorf("by id:\n%s", body)
	}
	fates := func(seq uint64) string { return c.page(fmt.Sprintf("/part/fates?seq=%d&entity=user", seq)) }
	w.eventually("the fate of the first", func() error {
		body := fates(first)
		if !strings.Contains(body, "acknowledged</span>") || !strings.Contains(body, "filtered</span>") || strings.Contains(body, "other") {
			return fmt.Errorf("%s", body)
		}
		return nil
	})
	if body := fates(second); strings.Count(body, "waiting</span>") != 2 {
		t.Errorf("fates of the second:\n%s", body)
	}
}

// A filter is tried on real events before anything is registered.
func TestConsoleTriesAFilter(t *testing.T) {
	w := newWorld(t)
	c := w.console()
	w.publish("db.user.create", `{"id":"1","n":1}`)
	w.publish("db.user.create", `{"id":"2","n":3}`)
	w.publish("db.user.create", `{"id":"3"}`)
	body := c.page("/playground?entity=user&service=new-one&fields=id,n&filter=" + url.QueryEscape("data.n > 2"))
	for _, want := range []string{
		"<dt>Pass</dt><dd>1</dd>", "<dt>Left out</dt><dd>1</dd>", "<dt>Dead letters</dt><dd>1</dd>", "unguarded",
		"replhub register new-one user --filter &#39;data.n &gt; 2&#39; --fields &#39;id,n&#39;",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q:\n%s", want, body)
		}
	}
	if body := c.page("/playground?entity=user&filter=" + url.QueryEscape("data.n >")); !strings.Contains(body, "role=\"alert\"") {
		t.Errorf("a filter that does not compile:\n%s", body)
	}
}

// The live tail shows what arrives, and counts what it leaves out.
func TestConsoleFollowsEvents(t *testing.T) {
	w := newWorld(t)
	c := w.console()
	w.publish("db.user.create", `{"id":"0"}`)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.server.URL+"/tail/stream?entity=user", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := c.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	type batch struct {
		Lines []struct {
			Seq     uint64
			Key     string
			Payload string
		}
		LeftOut uint64 `json:"left_out"`
	}
	lines := bufio.NewScanner(response.Body)
	next := func() (b batch) {
		t.Helper()
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				if err := json.Unmarshal([]byte(data), &b); err != nil {
					t.Fatal(err)
				}
				return b
			}
		}
		t.Fatal("the stream ended: ", lines.Err())
		return b
	}
	if b := next(); len(b.Lines) != 0 {
		t.Errorf("events from before: %+v", b)
	}
	for i := range 30 {
		w.publish("db.user.create", fmt.Sprintf(`{"id":"%d"}`, i+1))
		w.publish("db.tenant.create", `{"id":"t"}`)
	}
	shown, leftOut := 0, uint64(0)
	for uint64(shown)+leftOut < 30 {
		b := next()
		shown, leftOut = shown+len(b.Lines), leftOut+b.LeftOut
		for _, l := range b.Lines {
			if l.Key == "t" || l.Payload != "" || l.Seq < 2 {
				t.Errorf("line %+v", l)
			}
		}
	}
	if shown == 0 {
		t.Error("nothing was shown")
	}
}

func TestConsolePublishesInDev(t *testing.T) {
	w := newWorld(t)
	c := w.console(operating)
	c.act("publish", of("entity", "user", "op", "create", "payload", `{"id":"7"}`), "db.user.create")
	if info := w.stream("DB").CachedInfo(); info.State.Msgs != 1 {
		t.Errorf("%d events", info.State.Msgs)
	}
}
