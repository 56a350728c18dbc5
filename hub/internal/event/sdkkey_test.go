package event_test

import (
	"strings"
	"testing"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/hub/internal/event"
)

// hubsKey is the key as the hub finds it.
func hubsKey(t *testing.T, ev replhub.Event) string {
	t.Helper()
	header := map[string][]string{}
	if ev.Key != "" {
		header["Replhub-Key"] = []string{ev.Key}
	}
	e, err := event.Decode(event.Position{}, time.Time{}, "db.user.update", header, ev.Data)
	if err != nil {
		t.Fatal(err)
	}
	return e.Key
}

func FuzzKeyIsTheHubs(f *testing.F) {
	for _, data := range []string{
		``, `{}`, `[]`, `"id"`, `{"id":"42"}`, `{"id":42}`, `{"id":-4.20e1}`, `{"id":null}`, `{"id":{"id":1}}`, `{"id":true}`,
		`{"ID":1}`, `{"Id":1,"id":2,"iD":3}`, `{"id":1,"id":2}`, `{"id":1,"id":[]}`, `{"a":{"id":1}}`, `{"id":"a\nb"}`,
		`{"id":" a"}`, `{"id":""}`, `{"\u0069d":"x"}`, `{"\u0069\u0064":"x"}`, `{"id":"\u00e9"}`, `{"id":"\ud83d\ude00"}`, `{"id":"\ud83d"}`,
		"{\"id\":\"\xff\"}", `{"id":1}x`, `{"id":01}`, ` {"id" : "a" } `, `{"id":"` + strings.Repeat("k", 1024) + `"}`,
		`{"id":"` + strings.Repeat("k", 1025) + `"}`, `{"id":"a` + "\u007f" + `"}`, `{"id":"` + "\ufffd" + `"}`, `{"id":"\ufffd"}`, `{"id":"a "}`, `{"id":"\ud83d\ufffd"}`, `{"id":"\ufffd\\ud83d"}`, `{"id":1`,
	} {
		f.Add([]byte(data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		ev := replhub.Event{Data: data}
		if have, want := replhub.KeyOf(ev), hubsKey(t, ev); have != want {
			t.Errorf("key of %q: %q, at the hub %q", data, have, want)
		}
	})
}

func TestKeyThatIsStated(t *testing.T) {
	ev := replhub.Event{Key: "a", Data: []byte(`{"id":"b"}`)}
	if key := replhub.KeyOf(ev); key != "a" || key != hubsKey(t, ev) {
		t.Errorf("key %q", key)
	}
}
